"""Pages through the exchange's own bars by open time and cuts them into files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

from extract.answer import Answer, Request
from extract.client import Client
from extract.coverage import Gap
from lake.bronze import Coverage
from lake.errors import TransientExtractError, UsageError

UNIT_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class BarSource(Protocol):
    """One instrument's bars at one exchange.

    Attributes:
        bars_per_page: how many intervals one answer surely holds.
        may_end_early: whether an answer may end before the window does although there is more, so
            that it has to be asked on.
    """

    bars_per_page: int
    may_end_early: bool

    def clock_ms(self) -> int:
        """Return the exchange's own clock."""

    def page(self, from_ms: int, until_ms: int, read: Callable[[list[int]], None]) -> BarPage:
        """Return the bars that open in [`from_ms`, `until_ms`); `read` may call for a retry."""


@dataclass(frozen=True, slots=True)
class BarPage:
    """One answer with the open times (ms) of its bars."""

    answer: Answer
    open_times: Sequence[int]


@dataclass(frozen=True, slots=True)
class BarFile:
    """The pages of one bronze file; the ids of its coverage are open times in ms."""

    pages: Sequence[BarPage] = field(default_factory=list)
    coverage: Coverage = field(default_factory=lambda: Coverage(0, -1, 0, 0))

    @property
    def rows(self) -> int:
        """How many bars lie within the coverage."""
        held = self.coverage
        times = (time for page in self.pages for time in page.open_times)
        return sum(held.first_id <= time <= held.last_id for time in times)


def asked_page(
    client: Client,
    request: Request,
    times_of: Callable[[Any], list[int]],
    read: Callable[[list[int]], None],
) -> BarPage:
    """Ask for a page; a fault that `times_of` or `read` raises is worth another try."""

    def times(document: Any) -> list[int]:
        found = times_of(document)
        read(found)
        return found

    return BarPage(*client.ask(request, times))


def interval_ms(interval: str) -> int:
    """Return the length of an interval such as `1m`, `4h` or `1d` in ms.

    Raises:
        UsageError: it is no such interval.
    """
    found = re.fullmatch(r"([1-9]\d*)([smhd])", interval)
    if found is None:
        raise UsageError(
            f"'{interval}' is no bar interval", hint="Use a number and s, m, h or d, as in 1m."
        )
    return int(found[1]) * UNIT_MS[found[2]]


def first_day(days: BarSource, from_ms: int, until_ms: int) -> int | None:
    """Return the open time (ms) of the first bar of a day, None where there is none.

    Args:
        days: the instrument's bars of `1d`.
        from_ms: no exchange is older.
        until_ms: the exchange's clock.

    Raises:
        UnreachableError: a page stayed impossible after all attempts.
    """
    step = UNIT_MS["d"] * days.bars_per_page
    for start in range(from_ms, until_ms, step):
        end = min(start + step, until_ms)
        page = days.page(start, end, lambda times: check_open_times(times, start, end))  # noqa: B023 - called at once
        if page.open_times:
            return page.open_times[0]
    return None


def bar_files(
    source: BarSource, gap: Gap, *, length_ms: int, bars_per_file: int
) -> Iterator[BarFile]:
    """Yield the files that close a gap whose end the exchange's clock has passed.

    Args:
        source: the instrument at its exchange.
        gap: open times that are missing.
        length_ms: the interval.
        bars_per_file: files are cut where open times are divisible by so many intervals.

    Raises:
        UnreachableError: a page stayed impossible after all attempts.
    """
    cell = length_ms * bars_per_file
    start = gap.from_ms
    while start < gap.until_ms:
        end = min((start // cell + 1) * cell, gap.until_ms)
        step = length_ms * source.bars_per_page
        edges = [*range(start, end, step), end]
        pages = [page for edge in pairwise(edges) for page in _asked(source, *edge, length_ms)]
        yield BarFile(pages, Coverage(start, end - 1, start, end))
        start = end


def _asked(source: BarSource, from_ms: int, until_ms: int, length_ms: int) -> list[BarPage]:
    """Ask for one page and what it lacks; an empty one is believed when it comes twice.

    Before a listing and in a halt there is no bar, and no answer tells that from a fault.
    """

    def check(times: list[int]) -> None:
        check_open_times(times, from_ms, until_ms)

    page = source.page(from_ms, until_ms, check)
    if not page.open_times:
        return [page, source.page(from_ms, until_ms, check)]
    rest_from = max(page.open_times) + length_ms
    if not source.may_end_early or rest_from >= until_ms:
        return [page]
    return [page, *_asked(source, rest_from, until_ms, length_ms)]


def check_open_times(times: Sequence[int], from_ms: int, until_ms: int) -> None:
    """Reject a page that no honest exchange gives.

    A single odd open time passes: it is for the silver job to judge.

    Raises:
        TransientExtractError: the bars run backwards, or none is what was asked for.
    """
    if times and times[0] > times[-1]:
        raise TransientExtractError(f"bars go backwards from {times[0]} to {times[-1]}")
    if times and not any(from_ms <= time < until_ms for time in times):
        raise TransientExtractError(
            f"bars from {times[0]} to {times[-1]}, asked was {from_ms} to {until_ms - 1}"
        )
