"""Serves single trades by id: the pages of `trades` and `historicalTrades`."""

from __future__ import annotations

import csv
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal

from extract.replay.bar_tape import eight_decimals
from lake.clock import to_millis

EIGHT_PLACES = Decimal("0.00000001")
TradeRow = dict[str, object]


@dataclass(frozen=True, slots=True)
class Print:
    """What a bar needs of a trade or an aggregate: its ids, base quantity, and time in ms."""

    first_id: int
    last_id: int
    price: Decimal
    quantity: Decimal
    time: int
    buyer_is_maker: bool


class TradeTape:
    """Trades of one symbol, sorted by id and time; each is the object that REST prints, in ms."""

    def __init__(self, rows: Sequence[TradeRow]) -> None:
        self._rows = rows
        self._ids = [_whole(row["id"]) for row in rows]
        self._times = [_whole(row["time"]) for row in rows]

    def newest(self, limit: int, until_ms: int | None = None) -> Sequence[TradeRow]:
        """Return the last trades up to a moment (None: of all), oldest first."""
        end = self._end(until_ms)
        return self._rows[max(0, end - limit) : end]

    def from_id(self, first_id: int, limit: int, until_ms: int | None = None) -> Sequence[TradeRow]:
        """Return trades whose id is at least `first_id`, up to a moment, oldest first.

        An id that the exchange no longer has is answered from the next one that it has.
        """
        start = bisect_left(self._ids, first_id)
        return self._rows[start : min(start + limit, self._end(until_ms))]

    def between(self, after_ms: int, until_ms: int) -> Sequence[TradeRow]:
        """Return the trades of (after, until], oldest first."""
        start = bisect_right(self._times, after_ms)
        return self._rows[start : max(start, self._end(until_ms))]

    def _end(self, until_ms: int | None) -> int:
        return len(self._rows) if until_ms is None else bisect_right(self._times, until_ms)


def recorded_trades(text: str, symbol: str) -> Iterator[TradeRow]:
    """Yield the REST objects of one symbol from a recorded trade stream.

    The stream carries no quote quantity: it is price x quantity, cut at 8 decimals as spot does.
    """
    for row in csv.DictReader(text.splitlines()):
        if row["instrument"] == symbol:
            price, quantity = eight_decimals(row["price"]), eight_decimals(row["quantity"])
            quote = (Decimal(price) * Decimal(quantity)).quantize(EIGHT_PLACES, ROUND_DOWN)
            yield {
                "id": int(row["trade_id"]),
                "price": price,
                "qty": quantity,
                "quoteQty": f"{quote:f}",
                "time": to_millis(datetime.fromisoformat(row["time_exchange"])),
                "isBuyerMaker": row["taker_side"] == "sell",
                "isBestMatch": True,
            }


def print_of(row: TradeRow) -> Print:
    """Return what a bar needs of a trade."""
    number, time = _whole(row["id"]), _whole(row["time"])
    price, quantity = Decimal(str(row["price"])), Decimal(str(row["qty"]))
    return Print(number, number, price, quantity, time, row["isBuyerMaker"] is True)


def time_in_micros(row: TradeRow) -> TradeRow:
    """Return a trade with its time in µs."""
    return {**row, "time": _whole(row["time"]) * 1000}


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return value
