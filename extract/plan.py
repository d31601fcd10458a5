"""What a run will ask, by arithmetic alone: requests, bytes, and seconds at the rate limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from extract.coverage import DAY_MS, Gap

#: Neither exchange is older: 2016-01-01. A window from 1970 on is no longer than from here.
EARLIEST_MS = 1_451_606_400_000


@dataclass(frozen=True, slots=True)
class Pages:
    """What the answers to one kind of question hold and cost.

    Attributes:
        base: the address of the host that is asked.
        rows: how many rows one answer holds at most.
        weight: what one answer costs of the host's budget.
        row_bytes: body bytes of a row, rounded up from recorded answers.
        aside: how many questions more a task asks: the clock, the window's first row, the newest.
        rows_per_day: more than any instrument has had in a day; 0 where rows are counted exactly.
        days_back: how far back the host answers at all, 0 for ever.
    """

    base: str
    rows: int
    weight: int
    row_bytes: int
    aside: int
    rows_per_day: int = 0
    days_back: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one task will ask of one host, and the rows that it will land.

    Attributes:
        is_bound: the numbers are an upper bound by the length of the window, no count of ids.
        files: how many bronze files it makes; of the archive, the zips and checksums beside.
        of: what it is of: exchange, kind, instrument and dataset.
    """

    base: str = ""
    requests: int = 0
    weight: int = 0
    rows: int = 0
    bytes: int = 0
    is_bound: bool = False
    files: int = 0
    of: tuple[str, str, str, str] = ("", "", "", "")


@dataclass(frozen=True, slots=True)
class Plan:
    """The estimates of all tasks of a run.

    Attributes:
        estimates: one a task; a task that has nothing to ask may be left out.
        weight_per_minute: what each limited host grants, by its address.
    """

    estimates: Sequence[Estimate]
    weight_per_minute: Mapping[str, int]

    @property
    def requests(self) -> int:
        """How many requests the run sends where none fails."""
        return sum(part.requests for part in self.estimates)

    @property
    def bytes(self) -> int:
        """How many body bytes the answers have."""
        return sum(part.bytes for part in self.estimates)

    @property
    def rows(self) -> int:
        """How many rows the run lands."""
        return sum(part.rows for part in self.estimates)

    @property
    def seconds(self) -> int:
        """The time at the rate limits, rounded up; hosts are asked side by side."""
        weights: dict[str, int] = {}
        for part in self.estimates:
            weights[part.base] = weights.get(part.base, 0) + part.weight
        return max((self._seconds(base, weight) for base, weight in weights.items()), default=0)

    @property
    def bounds(self) -> int:
        """How many of the estimates are upper bounds."""
        return sum(part.is_bound for part in self.estimates)

    def _seconds(self, base: str, weight: int) -> int:
        granted = self.weight_per_minute.get(base)
        return -(-weight * 60 // granted) if granted else 0

    def __str__(self) -> str:
        asked = f"{self.requests:,} requests, {sized(self.bytes)} and {lasting(self.seconds)}"
        most = f", at most: {self.bounds} of {len(self.estimates)} parts are upper bounds"
        return f"{asked} at the exchanges' limits{most if self.bounds else ''}"


def sized(count: int) -> str:
    """Return a number of bytes as people say it: `999 B`, `1.2 MB`, `12.3 GB`."""
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count // size:,}.{count * 10 // size % 10} {unit}"
    return f"{count} B"


def lasting(seconds: int) -> str:
    """Return a length of time as people say it: `45 s`, `10 min`, `3 h 20 min`, `2 d 4 h`."""
    days, hours, minutes = seconds // 86_400, seconds // 3_600, seconds // 60
    if days:
        return f"{days:,} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{seconds} s"


def pages_of(first: int, last: int, per_page: int, per_file: int) -> int:
    """Return how many pages bring the places `first` to `last` (inclusive).

    A page ends where its file does, at the places divisible by `per_file`.
    """
    if last < first:
        return 0
    if first // per_file == last // per_file:
        return -(-(last - first + 1) // per_page)
    head = per_file - first % per_file
    tail = last % per_file + 1
    whole = last // per_file - first // per_file - 1
    return -(-head // per_page) - (-tail // per_page) - whole * (-per_file // per_page)


def by_ids(pages: Pages, ranges: Iterable[tuple[int, int]], *, per_file: int) -> Estimate:
    """Return what ranges of ids (both ends inclusive) cost; an exchange's own holes count too."""
    known = list(ranges)
    requests = sum(pages_of(first, last, pages.rows, per_file) for first, last in known)
    filled = [(first, last) for first, last in known if first <= last]
    rows = sum(last - first + 1 for first, last in filled)
    files = sum(last // per_file - first // per_file + 1 for first, last in filled)
    return replace(_estimate(pages, requests, rows, is_bound=False), files=files)


def by_bars(pages: Pages, gaps: Iterable[Gap], length_ms: int, *, per_file: int) -> Estimate:
    """Return what the bars that open in the gaps cost, exactly."""
    ranges = ((gap.from_ms // length_ms, gap.until_ms // length_ms - 1) for gap in gaps)
    return by_ids(pages, ranges, per_file=per_file)


def by_time(pages: Pages, gaps: Iterable[Gap], now_ms: int, *, per_file: int) -> Estimate:
    """Return an upper bound from the gaps' length alone, as if the busiest day went on and on."""
    oldest = now_ms - pages.days_back * DAY_MS if pages.days_back else EARLIEST_MS
    spans = (gap.until_ms - max(gap.from_ms, oldest) for gap in gaps)
    rows = sum(-(-pages.rows_per_day * span // DAY_MS) for span in spans if span > 0)
    found = _estimate(pages, -(-rows // pages.rows), rows, is_bound=True)
    return replace(found, files=-(-rows // per_file))


def _estimate(pages: Pages, requests: int, rows: int, *, is_bound: bool) -> Estimate:
    asked = requests + pages.aside
    return Estimate(pages.base, asked, asked * pages.weight, rows, rows * pages.row_bytes, is_bound)


def both(first: Estimate, second: Estimate) -> Estimate:
    """Return the sum of two estimates of one task, of which the second's host has the limit."""
    return Estimate(
        second.base or first.base,
        first.requests + second.requests,
        first.weight + second.weight,
        first.rows + second.rows,
        first.bytes + second.bytes,
        first.is_bound or second.is_bound,
        first.files + second.files,
    )


def adjoining(gaps: Iterable[Gap]) -> list[Gap]:
    """Join gaps that the turn of a month has cut and that nothing held lies between."""
    found: list[Gap] = []
    for gap in gaps:
        last = found[-1] if found else None
        if last and last.until_ms == gap.from_ms and last.before_id is None is gap.after_id:
            found[-1] = Gap(last.from_ms, gap.until_ms, last.after_id, gap.before_id)
        else:
            found.append(gap)
    return found
