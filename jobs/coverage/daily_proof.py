"""Each day of each instrument: which share of it the ledger proves, and what is missing in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from jobs.coverage.holdings import Entry, Holding

DAY_US = 86_400_000_000
EPOCH_DAY = date(1970, 1, 1)
#: What the exchange itself does not have; prints off the book are in no answer by their nature.
OF_THE_EXCHANGE = ("exchange_hole", "invalidated_by_the_exchange")
Interval = tuple[int, int]


class Finding(StrEnum):
    """The worst that the ledger says of a day."""

    WHOLE = "whole"
    EXCHANGE = "exchange"
    OURS = "ours"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days in a row of which the ledger says the same.

    Attributes:
        first: the first day (UTC).
        last: the last one, included.
        per_mille: how much of each day's time is proved, in thousandths, rounded down, and 1
            where it is less but not nothing.
        finding: whether ids are missing, and whose hole it is.
    """

    first: date
    last: date
    per_mille: int
    finding: Finding

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1


def stretches(holding: Holding) -> list[Stretch]:
    """Return the days that the ledger speaks of, in order; a day that it is silent on is none."""
    ours, held = holding.open_holes, _united(holding.proved_entries)
    theirs = [one for one in holding.named("hole") if one.cause in OF_THE_EXCHANGE and one.ids]
    proved, lost = _micros_a_day(held), _micros_a_day(_overlaps(held, _united(ours)))
    finding = dict.fromkeys(proved, Finding.WHOLE)
    finding |= dict.fromkeys(_days(theirs), Finding.EXCHANGE)
    finding |= dict.fromkeys(_days(ours), Finding.OURS)
    cells = (
        Stretch(_date(day), _date(day), _per_mille(proved[day] - lost[day]), finding[day])
        for day in sorted(finding)
    )
    return list(_joined(cells))


def _united(entries: Iterable[Entry]) -> list[Interval]:
    """Return the times of entries as intervals [from, until) that do not touch."""
    united: list[Interval] = []
    for start, end in sorted((one.from_us, one.until_us) for one in entries):
        if united and start <= united[-1][1]:
            united[-1] = (united[-1][0], max(united[-1][1], end))
        else:
            united.append((start, end))
    return united


def _overlaps(some: Sequence[Interval], others: Sequence[Interval]) -> list[Interval]:
    """Return what lies in both, in order."""
    found, place = list[Interval](), 0
    for start, end in some:
        while place < len(others) and others[place][1] <= start:
            place += 1
        for other_start, other_end in others[place:]:
            if other_start >= end:
                break
            found.append((max(start, other_start), min(end, other_end)))
    return found


def _micros_a_day(intervals: Iterable[Interval]) -> defaultdict[int, int]:
    """Return how much of each day (since the epoch) the intervals cover."""
    micros = defaultdict[int, int](int)
    for start, end in intervals:
        for day in range(start // DAY_US, -(-end // DAY_US)):
            micros[day] += min(end, (day + 1) * DAY_US) - max(start, day * DAY_US)
    return micros


def _days(holes: Iterable[Entry]) -> set[int]:
    return {
        day for hole in holes for day in range(hole.from_us // DAY_US, hole.until_us // DAY_US + 1)
    }


def _per_mille(micros: int) -> int:
    return max(micros * 1000 // DAY_US, int(micros > 0))


def _date(day: int) -> date:
    return EPOCH_DAY + timedelta(days=day)


def _joined(cells: Iterable[Stretch]) -> Iterator[Stretch]:
    open_one: Stretch | None = None
    for cell in cells:
        if open_one is None:
            open_one = cell
        elif _goes_on(open_one, cell):
            open_one = Stretch(open_one.first, cell.last, cell.per_mille, cell.finding)
        else:
            yield open_one
            open_one = cell
    if open_one is not None:
        yield open_one


def _goes_on(before: Stretch, after: Stretch) -> bool:
    same = (before.per_mille, before.finding) == (after.per_mille, after.finding)
    return same and before.last + timedelta(days=1) == after.first
