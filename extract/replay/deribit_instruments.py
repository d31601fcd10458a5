"""What an instrument of the generated Deribit market is, and how `get_instruments` lists it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from extract.replay.exact_json import Number, number
from lake.clock import to_millis

PERPETUAL_EXPIRY = 32_503_708_800_000  # year 3000: how Deribit writes "never"
CREATED = to_millis(datetime(2024, 7, 26, 8, 0, 5, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Instrument:
    """One generated instrument.

    Attributes:
        family: prefix of its trade ids, which Deribit numbers per currency; empty for BTC.
        settlement: settlement currency; None for spot.
        inverse: amounts are in USD (perpetual and dated futures that settle in the coin).
        first_price: where its prices start; `tick` is the step, `amount_step` that of amounts.
        trades: how many of its own trades are generated in the window.
        legs: of a combo, the instruments and directions of one unit.
    """

    name: str
    kind: str
    instrument_id: int
    base: str
    quote: str
    counter: str
    settlement: str | None
    period: str | None
    expiry: int
    tick: Decimal
    amount_step: Decimal
    contract_size: Decimal
    first_price: Decimal
    price_index: str
    trades: int
    family: str = ""
    inverse: bool = False
    strike: Decimal | None = None
    option_type: str | None = None
    legs: tuple[tuple[str, str], ...] = ()

    @property
    def currencies(self) -> frozenset[str]:
        """The values of the `currency` parameter that list this instrument."""
        if self.kind == "spot":
            return frozenset({self.base, self.quote})
        return frozenset({self.settlement or self.base})

    def is_active(self, now_ms: int) -> bool:
        """Say whether it can still be traded at this time."""
        return now_ms < self.expiry

    def to_json(self, now_ms: int) -> dict[str, object]:
        """Return the object that `get_instruments` lists; numbers exact."""
        active = self.is_active(now_ms)
        body: dict[str, object] = {
            "price_index": self.price_index,
            "kind": self.kind,
            "instrument_name": self.name,
            "state": "open" if active else "archivized",
            "instrument_id": self.instrument_id,
            "is_active": active,
            "maker_commission": Number("0.0"),
            "taker_commission": Number("0.0005"),
            "instrument_type": "reversed" if self._settles_in_coin else "linear",
            "expiration_timestamp": self.expiry,
            "creation_timestamp": CREATED,
            "tick_size": number(self.tick),
            "tick_size_steps": [],
            "contract_size": number(self.contract_size),
            "min_trade_amount": number(self.amount_step),
            "base_currency": self.base,
            "counter_currency": self.counter,
            "quote_currency": self.quote,
        }
        return body | self._settled() | self._option()

    @property
    def _settles_in_coin(self) -> bool:
        return self.settlement == self.base

    def _settled(self) -> dict[str, object]:
        if self.settlement is None:
            return {}
        return {"settlement_currency": self.settlement, "settlement_period": self.period}

    def _option(self) -> dict[str, object]:
        if self.strike is None:
            return {}
        return {"option_type": self.option_type, "strike": number(self.strike)}
