"""Chooses which files of the archive bring what is missing of a window: months before days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from extract.archive.file import MONTHLY, ArchiveFile, is_month, monthly_from
from extract.coverage import DAY_MS, lacks, month_end, month_start, months
from extract.landing import Landing
from lake.bronze import Coverage


@dataclass(frozen=True, slots=True)
class Span:
    """A window of an instrument's archive.

    Attributes:
        landing: whose; it says what counts as held.
        start_ms, until_ms: the window; every UTC day that it touches counts whole.
        now_ms: the present: a month is there from the first Monday after its end.
        interval: of klines, else empty.
        leaves_begun: whether a day of which REST holds anything is left to REST.
    """

    landing: Landing
    start_ms: int
    until_ms: int
    now_ms: int
    interval: str = ""
    leaves_begun: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether no day lies in it."""
        return self.start_ms >= self.until_ms

    def file(self, from_ms: int, until_ms: int) -> ArchiveFile:
        """Return the file of a day or a month."""
        of = self.landing
        return ArchiveFile(of.kind, of.dataset, of.instrument, self.interval, from_ms, until_ms)


def days(from_ms: int, until_ms: int) -> range:
    """Return the starts (ms) of the UTC days that [`from_ms`, `until_ms`) touches."""
    return range(from_ms - from_ms % DAY_MS, until_ms, DAY_MS)


def missing_files(span: Span) -> Iterator[ArchiveFile]:
    """Yield the files of which anything is missing, by names alone, in the order of time.

    A month's own file is taken where nothing of the month is held yet, or where it was begun.
    """
    if span.is_empty:
        return
    if span.landing.dataset in MONTHLY:
        yield from _missing_months(span)
        return
    first, until = span.start_ms - span.start_ms % DAY_MS, span.until_ms + -span.until_ms % DAY_MS
    for month in months(first, until):
        runs = span.landing.runs(*month, interval=span.interval)
        if lacks(runs, *month):
            yield from _files_of_month(span, month, runs)


def _missing_months(span: Span) -> Iterator[ArchiveFile]:
    """Yield whole months where no day is published: of `auto` those that lie in the window."""
    start, until = span.start_ms, span.until_ms
    if not span.leaves_begun:
        start, until = month_start(start), month_end(until - 1)
    for month in months(start, until):
        whole, runs = span.file(*month), span.landing.runs(*month)
        is_due = span.now_ms >= monthly_from(whole.until_ms)
        left = span.leaves_begun and (not is_due or _touch(runs, *month))
        is_wanted = not left or _is_begun(span, whole)
        if is_month(*month) and lacks(runs, *month) and is_wanted:
            yield whole


def _files_of_month(
    span: Span, month: tuple[int, int], runs: Sequence[Coverage]
) -> Iterator[ArchiveFile]:
    whole = span.file(*month)
    is_there = is_month(*month) and span.now_ms >= monthly_from(whole.until_ms)
    if is_there and (not _touch(runs, *month) or _is_begun(span, whole)):
        yield whole
        return
    begun = _begun_by_rest(span, month)
    for start in days(*month):
        day = (start, start + DAY_MS)
        if lacks(runs, *day) and not _touch(begun, *day):
            yield span.file(*day)


def _begun_by_rest(span: Span, month: tuple[int, int]) -> Sequence[Coverage]:
    if not span.leaves_begun:
        return ()
    return replace(span.landing, counts=("history",)).runs(*month, interval=span.interval)


def _is_begun(span: Span, month: ArchiveFile) -> bool:
    return span.landing.store.read(f"{month.key}.CHECKSUM") is not None


def _touch(runs: Sequence[Coverage], from_ms: int, until_ms: int) -> bool:
    return any(run.from_ms < until_ms and run.until_ms > from_ms for run in runs)
