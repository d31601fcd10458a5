"""Finds the first trade at a time by id alone: by interpolation, and by halves where it fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from extract.pages import Row

#: Returns the rows from an id on, in order, empty where there is none; one probe is one page.
Probe = Callable[[int], Sequence[Row]]


@dataclass(frozen=True, slots=True)
class Found:
    """Where a search ended.

    Attributes:
        row: the first row at or after the time, None where there is none yet.
        probes: how many pages were looked at.
    """

    row: Row | None
    probes: int


def first_at(probe: Probe, newest: Row, time_ms: int, *, origin: int = 0) -> Found:
    """Search the first row at or after a time between the first id and the newest.

    A probe interpolates over (id, time); where that leaves more than half, the next one halves: at
    most 2 log2(n) + 2 pages are looked at, however the trades came. Ids must grow with time.

    Args:
        probe: asks for a page.
        newest: the newest row.
        time_ms: the time.
        origin: the lowest id that the exchange gives.
    """
    if newest.time_ms < time_ms:
        return Found(None, 0)
    counted = _Counted(probe)
    rows = counted.rows(origin)
    if not rows or rows[0].id > newest.id:
        return Found(newest, counted.probes)
    row = hit(rows, time_ms) or _between(counted, rows[-1], newest, time_ms, width=len(rows))
    return Found(row, counted.probes)


class _Counted:
    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self.probes = 0

    def rows(self, first_id: int) -> Sequence[Row]:
        self.probes += 1
        return self._probe(first_id)


def _between(probe: _Counted, low: Row, high: Row, time_ms: int, *, width: int) -> Row:
    """Narrow down where `low` is before the time and `high` is not."""
    halve = False
    while (left := high.id - low.id) > 1:
        guess = (low.id + high.id) // 2 if halve else _interpolated(low, high, time_ms, width)
        rows = probe.rows(min(max(guess, low.id + 1), high.id - 1))
        if not rows or rows[0].id >= high.id:  # a hole of the exchange up to there
            rows = probe.rows(low.id + 1)
        if not rows or rows[0].id >= high.id:
            return high
        if rows[0].time_ms >= time_ms:
            high = rows[0]
        elif row := hit(rows, time_ms):
            return row
        else:
            low = rows[-1]
        halve = not halve and (high.id - low.id) * 2 > left
    return high


def _interpolated(low: Row, high: Row, time_ms: int, width: int) -> int:
    """Return where a page has its middle at the time, if trades came evenly."""
    share = (high.id - low.id) * (time_ms - low.time_ms)
    return low.id + share // (high.time_ms - low.time_ms) - width // 2


def hit(rows: Sequence[Row], time_ms: int) -> Row | None:
    """Return the first row of a page at or after a time, None where all are before it."""
    return next((row for row in rows if row.time_ms >= time_ms), None)
