"""Writes a busy symbol's trades and bars as REST prints them, spot's and USD-M's way."""

from __future__ import annotations

from dataclasses import dataclass

from extract.replay.busy.tape import FIRST_ID, PERIOD, PRICE_DECIMALS, QUANTITY_DECIMALS, BusyTape
from extract.replay.exact_json import Number
from extract.replay.made_bar import MadeBar

QUOTE_DECIMALS = PRICE_DECIMALS + QUANTITY_DECIMALS


@dataclass(frozen=True, slots=True)
class Style:
    """How a segment prints numbers: decimals of price, quantity, bars' quote and trades' quote."""

    price: int
    quantity: int
    quote: int
    trade_quote: int
    is_spot: bool


SPOT_STYLE = Style(8, 8, 8, 8, is_spot=True)
#: USD-M cuts a trade's quote quantity at 2 decimals (recorded in 2020 and 2023).
USDM_STYLE = Style(PRICE_DECIMALS, QUANTITY_DECIMALS, QUOTE_DECIMALS, 2, is_spot=False)


class BusyRows:
    """The rows of one symbol, by place."""

    def __init__(self, tape: BusyTape, style: Style) -> None:
        self.tape = tape
        self.style = style

    def price(self, tick: int) -> str:
        """Return a price as text."""
        return decimal_text(tick, PRICE_DECIMALS, self.style.price)

    def quantity(self, steps: int) -> str:
        """Return a base quantity as text."""
        return decimal_text(steps, QUANTITY_DECIMALS, self.style.quantity)

    def trade(self, place: int) -> dict[str, object]:
        """Return a row of `trades` and `historicalTrades`, time in ms."""
        slot = place % PERIOD
        tick, steps = self.tape.ticks[slot], self.tape.quantities[slot]
        row: dict[str, object] = {
            "id": FIRST_ID + place,
            "price": self.price(tick),
            "qty": self.quantity(steps),
            "quoteQty": decimal_text(tick * steps, QUOTE_DECIMALS, self.style.trade_quote),
            "time": self.tape.time(place),
            "isBuyerMaker": self.tape.makers[slot],
        }
        return {**row, "isBestMatch": True} if self.style.is_spot else row

    def aggregate(self, place: int) -> dict[str, object]:
        """Return a row of `aggTrades`, time in ms."""
        slot, number = place % PERIOD, FIRST_ID + place
        row: dict[str, object] = {
            "a": number,
            "p": self.price(self.tape.ticks[slot]),
            "q": self.quantity(self.tape.quantities[slot]),
            "f": number,
            "l": number,
            "T": self.tape.time(place),
            "m": self.tape.makers[slot],
        }
        return {**row, "M": True} if self.style.is_spot else row

    def bar(self, length: int, start: int, until: int) -> MadeBar | None:
        """Return the bar of [start, start + length) as it stood at `until`; see `BarMaker`."""
        first = self.tape.count(start - 1)
        end = self.tape.count(min(until, start + length - 1))
        if end == 0:
            return None
        if first == end:
            return MadeBar(self._row(start, length, first - 1, first))
        return MadeBar(self._row(start, length, first, end), FIRST_ID + first, FIRST_ID + end - 1)

    def _row(self, start: int, length: int, first: int, end: int) -> list[object]:
        """Return the fields of a bar; of a quiet one, which begins before `start`, flat ones."""
        totals = self.tape.totals(first, end)
        is_quiet = self.tape.time(first) < start
        opened, close = (self.tape.ticks[place % PERIOD] for place in (first, end - 1))

        def sums(steps: int, quote: int) -> tuple[str, str]:
            if is_quiet:
                steps = quote = 0
            return self.quantity(steps), decimal_text(quote, QUOTE_DECIMALS, self.style.quote)

        volume, value = sums(totals.quantity, totals.quote)
        prices = [self.price(tick) for tick in (opened, totals.high, totals.low, close)]
        row = [start, *prices, volume, start + length - 1, value]
        count = Number(0 if is_quiet else end - first)
        return [*row, count, *sums(totals.taker_quantity, totals.taker_quote), "0"]


def decimal_text(units: int, scale: int, decimals: int) -> str:
    """Return `units / 10**scale` with so many decimals; what does not fit is cut off."""
    whole, part = divmod(units, 10**scale)
    return f"{whole}.{f'{part:0{scale}}'[:decimals].ljust(decimals, '0')}"
