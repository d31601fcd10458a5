"""How other programs name an instrument, told from what `silver.instruments` says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow.compute as pc

from lake.objects import ObjectStore
from lake.tables import SILVER_INSTRUMENTS
from serve.files.asked import Series
from serve.files.delta import opened
from serve.records import plain

COLUMNS = (
    *("exchange", "kind", "instrument", "valid_from", "base_unit", "quote_unit"),
    *("settlement_unit", "tick_size", "lot_size", "strike", "option_type", "expiry"),
)


@dataclass(frozen=True, slots=True)
class Listing:
    """What the newest row of `silver.instruments` says of an instrument; null where it says none.

    Attributes:
        tick_size: the step of prices, in quote a base.
        lot_size: the step of quantities, in the quantity unit.
        expiry: None of spot and of perpetuals.
    """

    base_unit: str | None
    quote_unit: str | None
    settlement_unit: str | None
    tick_size: Decimal | None
    lot_size: Decimal | None
    strike: Decimal | None
    option_type: str | None
    expiry: datetime | None

    def pair(self, kind: str) -> str | None:
        """Return CCXT's unified symbol, such as `BTC/USDT` or `BTC/USDT:USDT-240628`.

        None where the units are not known.
        """
        if not (self.base_unit and self.quote_unit):
            return None
        pair = f"{self.base_unit}/{self.quote_unit}"
        if kind == "spot":
            return pair
        if not self.settlement_unit:
            return None
        terms = [f"{pair}:{self.settlement_unit}"]
        terms += [f"{self.expiry:%y%m%d}"] if self.expiry else []
        if self.strike is not None and self.option_type:
            terms += [plain(self.strike), self.option_type[0].upper()]
        return "-".join(terms)


def listings(store: ObjectStore) -> Mapping[Series, Listing]:
    """Return the newest row of each instrument; empty where the lake has none."""
    source = opened(store, SILVER_INSTRUMENTS)
    if source is None:
        return {}
    newest: dict[Series, dict[str, Any]] = {}
    known = pc.field("instrument").is_valid()
    for batch in source.rows.scanner(list(COLUMNS), filter=known).to_batches():
        for row in batch.to_pylist():
            series = Series(row.pop("exchange"), row.pop("kind"), row.pop("instrument"))
            if series not in newest or newest[series]["valid_from"] < row["valid_from"]:
                newest[series] = row
    return {
        series: Listing(**{name: row[name] for name in Listing.__dataclass_fields__})
        for series, row in newest.items()
    }
