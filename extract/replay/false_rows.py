"""Finds the rows of a bar recording that the exchange never published: they are never served.

The recorded 1h klines hold 55,861 rows where their own header counts 55,765. Each of the 96 too
many fills a hole of the recording (maintenance, halt) and repeats a bar that comes 7 or 8 hours
later: the time of that bar written as US Pacific wall clock (UTC-7 in summer, UTC-8 in winter). One
of them shows 76,633 trades at 13:00 UTC on 2023-03-24, inside the halt from 12:40 to 14:00.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

PACIFIC_OFFSETS = (timedelta(hours=7), timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class RecordedBar:
    """One row of a recorded klines file, as text: open time, close time, and the nine values.

    Attributes:
        open_time: `YYYY-MM-DD HH:MM:SS`, UTC.
        close_time: likewise; printed to the second, so its milliseconds are lost.
        values: open, high, low, close, volume, quote volume, count, taker base, taker quote.
    """

    open_time: str
    close_time: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FalseRow:
    """A row that the exchange never published, and the true bar that it repeats."""

    open_time: str
    repeats: str
    trade_count: int


def find_false_rows(bars: Sequence[RecordedBar]) -> list[FalseRow]:
    """Return the false rows of a recording, by time.

    A row is false where a bar exactly 7 or 8 hours later has the same nine values, and the bar has
    trades at all: two quiet bars at one price are alike without being copies.
    """
    by_open_time = {bar.open_time: bar for bar in bars}
    found = (_repeated_later(bar, by_open_time) for bar in bars)
    return [false_row for false_row in found if false_row is not None]


def _repeated_later(bar: RecordedBar, by_open_time: Mapping[str, RecordedBar]) -> FalseRow | None:
    trade_count = int(bar.values[6])
    if trade_count == 0:
        return None
    for offset in PACIFIC_OFFSETS:
        later = by_open_time.get(str(datetime.fromisoformat(bar.open_time) + offset))
        if later is not None and later.values == bar.values:
            return FalseRow(bar.open_time, later.open_time, trade_count)
    return None


def to_csv(false_rows: Sequence[FalseRow]) -> str:
    """Return the list as it lies beside the recording: header, then one line a false row."""
    lines = (f"{row.open_time},{row.repeats},{row.trade_count}" for row in false_rows)
    return "\n".join(("open_time,repeats,trade_count", *lines)) + "\n"
