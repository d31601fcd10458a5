"""What of a bulk run's window is not there: trades by the names of files, bars one by one."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from extract.bars import interval_ms
from extract.coverage import missing
from extract.landed_rows import Series, landed_rows
from extract.landing import Landing
from extract.paging import SETTLED_MS
from extract.rest import gaps_of
from extract.subject import Subject, counted
from jobs.context import Lake
from jobs.extraction.replayed import held_times, is_replayed
from jobs.options import Segment
from lake.bronze import Coverage
from lake.clock import from_millis, to_iso
from lake.errors import CandlelakeError

log = logging.getLogger(__name__)

#: So many parts are listed; of the others their number is told.
LISTED = 20


@dataclass(frozen=True, slots=True)
class Absent:
    """A part of the window, [`from_ms`, `until_ms`), that is not there of a series."""

    series: Series
    from_ms: int
    until_ms: int

    def __str__(self) -> str:
        series = self.series
        what = f"{series.dataset} {series.interval}".rstrip()
        name = f"{series.exchange} {series.kind} {series.instrument} {what}"
        return f"{name} from {_shown(self.from_ms)} until {_shown(self.until_ms)}"


def absent_parts(
    lake: Lake, series: Series, window: tuple[int, int], clock_ms: int
) -> list[Absent]:
    """Return what is missing of a series in a window, up to the exchange's clock.

    What REST and what the archive has landed counts alike. Trades are missing where the names of
    bronze's files prove nothing, in the replay where it has no recording either. A bar is missing
    where none has landed for its time: whether the exchange itself has none, as in a halt, makes no
    difference to who wants an unbroken series.

    Args:
        lake: the lake.
        series: whose trades or bars.
        window: [from, until) in ms.
        clock_ms: the exchange's own clock before the run.
    """
    found = _bars if series.interval else _trades
    parts = _joined(found(lake, series, window, clock_ms))
    return [Absent(series, from_ms, until_ms) for from_ms, until_ms in parts]


def tell(absent: Sequence[Absent]) -> None:
    """Say in the log what is missing."""
    for line in _lines(absent):
        log.warning("missing: %s", line)


def require_nothing(absent: Sequence[Absent]) -> None:
    """Return where nothing is missing.

    Raises:
        CandlelakeError: something is; it lists what.
    """
    if absent:
        parts = "1 part" if len(absent) == 1 else f"{len(absent)} parts"
        told = f"{parts} of the window missing; the next run asks for what is missing again:"
        raise CandlelakeError("\n  ".join([told, *_lines(absent)]))


def _lines(absent: Sequence[Absent]) -> Iterator[str]:
    yield from map(str, absent[:LISTED])
    if len(absent) > LISTED:
        yield f"and {len(absent) - LISTED} more"


def _trades(
    lake: Lake, series: Series, window: tuple[int, int], clock_ms: int
) -> Iterator[tuple[int, int]]:
    subject = Subject(
        *(series.exchange, series.kind, series.instrument, series.dataset, *window),
        beside_archive=True,
    )
    landing = Landing.of(
        *(subject, lake.settings, lake.store, lake.clock),
        run_id=lake.run_id,
        mode="history",
        counts=counted(subject),
    )
    runs = landing.runs(*window)
    proved = _proved_until(runs, window, clock_ms)
    recorded = _recorded(lake, series)
    gaps = [
        *gaps_of(landing, replace(subject, end_ms=proved)),
        *(missing(recorded, window[0], proved) if recorded is not None else ()),
    ]
    return ((gap.from_ms, gap.until_ms) for gap in gaps)


def _proved_until(runs: Sequence[Coverage], window: tuple[int, int], clock_ms: int) -> int:
    """Return up to when something may be called missing.

    Where the exchange's clock has not passed the window's end, its newest trade ends what files
    claim, and the quiet after it is no gap.
    """
    start, end = window
    if clock_ms >= end + SETTLED_MS:
        return end
    newest = max((run.until_ms for run in runs if run.until_ms > start), default=clock_ms)
    return min(end, newest)


def _recorded(lake: Lake, series: Series) -> list[Coverage] | None:
    """Return what the replay has recordings of, None where a real exchange was asked."""
    segment = Segment(series.exchange, series.kind, (series.instrument,))
    if not is_replayed(lake.settings, segment, "rest"):
        return None
    times = held_times(lake.settings, segment, series.instrument, series.dataset)
    return [Coverage(n, n, *held) for n, held in enumerate(times)]


def _bars(
    lake: Lake, series: Series, window: tuple[int, int], clock_ms: int
) -> Iterator[tuple[int, int]]:
    length = interval_ms(series.interval)
    start = window[0] - window[0] % length
    end = min(window[1] + -window[1] % length, clock_ms - clock_ms % length)
    cursor = start
    for row in landed_rows(lake.store, series, start, end):
        opened = int(row[series.shape.time_name] or 0)
        cell = opened - opened % length
        if cell > cursor:
            yield cursor, cell
        cursor = max(cursor, cell + length)
    if cursor < end:
        yield cursor, end


def _joined(parts: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for from_ms, until_ms in sorted(parts):
        if found and from_ms <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until_ms))
        else:
            found.append((from_ms, until_ms))
    return found


def _shown(time_ms: int) -> str:
    return to_iso(from_millis(time_ms)).replace(".000000Z", "Z")
