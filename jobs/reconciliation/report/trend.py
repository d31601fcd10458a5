"""How the runs of one check came out over time: two small charts in one picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jobs.coverage.drawing import Box, Page, Shape, Words
from jobs.reconciliation.report.facts import WHOLE, Run
from jobs.reconciliation.report.words import moment, number, percent

BLUE, ORANGE, GRID, QUIET_INK = "#08519c", "#a63603", "#d9d9d9", "#555555"
#: The axis starts at the highest of these that every run reaches.
FLOORS = {99_900: "99.9 %", 99_000: "99 %", 90_000: "90 %", 0: "0 %"}
WIDTH, LEFT, STEP, DOT = 460, 64, 12, 6
SHARES_TOP, SHARES_FOOT, COUNTS_TOP, COUNTS_FOOT = 34, 114, 154, 204
#: So many runs have room.
MOST = (WIDTH - LEFT - 8) // STEP


def trend(runs: Sequence[Run]) -> Page:
    """Draw the share that matched and the number of unexplained differences, the newest right."""
    shown = runs[-MOST:]
    shapes = [*_shares(shown), *_counts(shown), *_dates(shown)]
    return Page(WIDTH, COUNTS_FOOT + 26, "Matched and unexplained, run by run", shapes)


def _shares(runs: Sequence[Run]) -> Iterator[Shape]:
    lowest = min(run.share for run in runs)
    floor = next(one for one in FLOORS if one <= lowest)
    yield Words(8, 16, "Rows that are the same on both sides", 13)
    yield from _line(SHARES_TOP, percent(WHOLE))
    yield from _line(SHARES_FOOT, FLOORS[floor])
    for place, run in enumerate(runs):
        above = (run.share - floor) * (SHARES_FOOT - SHARES_TOP) // (WHOLE - floor)
        y = SHARES_FOOT - above - DOT // 2
        told = f"{moment(run.checked_at)} UTC: {percent(run.share)} of {number(run.rows)} rows"
        yield Box(_x(place), y, DOT, DOT, BLUE, told)


def _counts(runs: Sequence[Run]) -> Iterator[Shape]:
    most = max(1, *(run.unexplained for run in runs))
    yield Words(8, COUNTS_TOP - 14, "Unexplained differences", 13)
    for count, y in ((most, COUNTS_TOP), (0, COUNTS_FOOT)):
        yield from _line(y, number(count))
    for place, run in enumerate(runs):
        if run.unexplained:
            height = max(2, run.unexplained * (COUNTS_FOOT - COUNTS_TOP) // most)
            told = f"{moment(run.checked_at)} UTC: {number(run.unexplained)} unexplained"
            yield Box(_x(place), COUNTS_FOOT - height, DOT, height, ORANGE, told)


def _dates(runs: Sequence[Run]) -> Iterator[Shape]:
    y = COUNTS_FOOT + 18
    yield Words(LEFT, y, moment(runs[0].checked_at)[:16], fill=QUIET_INK)
    if len(runs) > 1:
        yield Words(WIDTH - 4, y, moment(runs[-1].checked_at)[:16], anchor="end", fill=QUIET_INK)


def _line(y: int, label: str) -> Iterator[Shape]:
    yield Box(LEFT, y, WIDTH - LEFT - 4, 1, GRID)
    yield Words(LEFT - 8, y + 4, label, anchor="end", fill=QUIET_INK)


def _x(place: int) -> int:
    return LEFT + 4 + place * STEP
