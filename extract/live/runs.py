"""Cuts the rows of a stream into unbroken runs of ids: what a batch claims to hold, and no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from extract.coverage import month_end, month_start
from extract.live.batch import Caught
from lake.bronze import Coverage

Row = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Run:
    """Rows whose ids run on without a break or a repeat, within one month.

    Attributes:
        coverage: the ids, and the times that nothing else can lie in.
        places: the frames that hold them, as indices, in the order of ids.
        rows: how many they are.
    """

    coverage: Coverage
    places: Sequence[int]
    rows: int


def runs_of(caught: Caught) -> list[Run]:
    """Return the runs of what was caught of a stream, in the order of ids.

    Each id that came again stands in a further run: nothing is dropped. A frame whose rows lie in
    two runs is kept in both, and each claims its own ids only.
    """
    step, is_numbered = caught.stream.step, caught.stream.is_numbered
    found = []
    for rows in _unbroken(caught, step):
        for part in _by_month(rows):
            follows = rows[-1] is not part[-1]
            coverage = _of_trades(rows, part, follows=follows) if is_numbered else _of_bars(part)
            places = list(dict.fromkeys(place for _, _, place in part))
            found.append(Run(coverage, places, len(part)))
    return found


def unclaimed(caught: Caught) -> list[int]:
    """Return the frames without any row, as indices."""
    claimed = set(caught.places)
    return [place for place in range(len(caught.bodies)) if place not in claimed]


def _unbroken(caught: Caught, step: int) -> Iterator[list[Row]]:
    ids = caught.ids
    if not ids:
        return
    rows = list(zip(ids, caught.times, caught.places, strict=True))
    if ids == list(range(ids[0], ids[0] + step * len(ids), step)):
        yield rows
        return
    rest = sorted(rows, key=lambda row: row[0])
    while rest:
        once, rest = _first_of_each(rest)
        yield from _cut(once, step)


def _first_of_each(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Part rows sorted by id into the first of each id and those that repeat one."""
    first, again, seen = list[Row](), list[Row](), -1
    for row in rows:
        (first if row[0] != seen else again).append(row)
        seen = row[0]
    return first, again


def _cut(rows: list[Row], step: int) -> Iterator[list[Row]]:
    start = 0
    for n, (before, after) in enumerate(pairwise(rows), 1):
        if after[0] != before[0] + step:
            yield rows[start:n]
            start = n
    yield rows[start:]


def _by_month(rows: list[Row]) -> Iterator[list[Row]]:
    """Cut where a month (UTC) turns: a bronze name lies in the folder of one month."""
    while rows:
        turn = month_end(rows[0][1])
        own = len(rows)
        if max(row[1] for row in rows) >= turn:
            own = max(n for n, row in enumerate(rows, 1) if row[1] < turn)
        yield rows[:own]
        rows = rows[own:]


def _of_trades(run: Sequence[Row], part: Sequence[Row], *, follows: bool) -> Coverage:
    """Return what a part of a run of trades holds.

    Trades of its first millisecond may lie before it, and of its last one after it: a run claims
    the time between them, and runs whose ids adjoin join over the rest. Where the next row of the
    run is known to lie in the next month, the claims meet at the turn.
    """
    first, last = part[0], part[-1]
    turn = month_end(first[1])
    since = month_start(first[1]) if part[0] is not run[0] else min(first[1] + 1, turn - 1)
    until = turn if follows else last[1]
    return Coverage(first[0], last[0], since, max(since, until))


def _of_bars(part: Sequence[Row]) -> Coverage:
    first, last = part[0][0], part[-1][0]
    return Coverage(first, last, first, last + 60_000)
