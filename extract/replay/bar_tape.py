"""Serves recorded klines as the exchange's REST interface prints them, false rows left out."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime

from extract.replay.exact_json import Number
from extract.replay.false_rows import RecordedBar
from lake.clock import to_millis

KlineRow = list[object]


def eight_decimals(text: str) -> str:
    """Return a recorded number with the trailing zeros that the exchange prints, 8 decimals."""
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.ljust(8, '0')}"


def kline_row(bar: RecordedBar) -> KlineRow:
    """Return the twelve fields of a kline: times in ms, values as text.

    The recording prints times to the second. Binance closes a bar at its last millisecond, so
    `…:59:59` was `…:59:59.999`; a close that was cut short, and an open off the grid, have lost
    their milliseconds for good: the close is served as printed with .999, the open with .000.
    """
    prices_and_volume = [eight_decimals(value) for value in bar.values[:5]]
    quote_volume, count, taker_base, taker_quote = bar.values[5:]
    return [
        _millis(bar.open_time),
        *prices_and_volume,
        _millis(bar.close_time) + 999,
        eight_decimals(quote_volume),
        Number(count),
        eight_decimals(taker_base),
        eight_decimals(taker_quote),
        "0",
    ]


def in_micros(row: KlineRow) -> KlineRow:
    """Return a kline with its two times in µs, the close on its last microsecond."""
    opened, closed = row[0], row[6]
    if not isinstance(opened, int) or not isinstance(closed, int):
        raise TypeError(f"a kline's times are whole numbers, not {opened!r} and {closed!r}")
    return [opened * 1000, *row[1:6], closed * 1000 + 999, *row[7:]]


class BarTape:
    """The recorded bars of one symbol and interval, by open time."""

    def __init__(self, bars: Iterable[RecordedBar]) -> None:
        self._bars = list(bars)
        self._opened = [_millis(bar.open_time) for bar in self._bars]

    def closed(self, until_ms: int) -> dict[int, RecordedBar]:
        """Return the bars that had closed by a moment, by their open time in ms."""
        last = bisect_right(self._opened, until_ms)
        bars = dict(zip(self._opened[:last], self._bars[:last], strict=True))
        if bars and _millis(self._bars[last - 1].close_time) + 999 > until_ms:
            bars.popitem()
        return bars

    def page(self, start_ms: int | None, end_ms: int | None, limit: int) -> list[KlineRow]:
        """Return at most `limit` bars opened within [start, end]: oldest first if a start is given.

        Without a start they are the newest ones up to the end (or of all). Always sorted by time.
        """
        first = 0 if start_ms is None else bisect_left(self._opened, start_ms)
        last = len(self._bars) if end_ms is None else bisect_right(self._opened, end_ms)
        if start_ms is None:
            first = max(first, last - limit)
        return [kline_row(bar) for bar in self._bars[first : min(last, first + limit)]]


def _millis(text: str) -> int:
    return to_millis(datetime.fromisoformat(text).replace(tzinfo=UTC))
