"""What is held and what is missing of a window, by arithmetic on file names alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from lake.bronze import Coverage
from lake.clock import from_millis, to_millis

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Gap:
    """A part of a window that no file holds.

    Attributes:
        from_ms: the first millisecond that is missing.
        until_ms: the first millisecond that is not missing any more.
        after_id: the last id held before the gap, None where only the time is known.
        before_id: the first id held after it, None where nothing is held there.
    """

    from_ms: int
    until_ms: int
    after_id: int | None = None
    before_id: int | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """A range of ids that no file holds.

    Attributes:
        first_id: the lowest one.
        last_id: the highest one.
        from_ms: from when on nothing lies below `first_id`, None where nobody knows.
        until_ms: up to when nothing lies above `last_id`, None where nobody knows.
    """

    first_id: int
    last_id: int
    from_ms: int | None = None
    until_ms: int | None = None


def joined(files: Iterable[Coverage]) -> list[Coverage]:
    """Join files whose ids adjoin or overlap into runs, in the order of ids.

    Within a run no id lies between two files, so times between them hold nothing more either:
    a run holds each row with a time in [from_ms, until_ms). A file without any id, which nobody
    can place among the others, is joined only where the times adjoin.
    """
    runs: list[Coverage] = []
    for held in sorted(files):
        if runs and held.first_id <= runs[-1].last_id + 1 and _may_join(runs[-1], held):
            run = runs.pop()
            held = Coverage(  # noqa: PLW2901 - the run grows
                run.first_id,
                max(run.last_id, held.last_id),
                min(run.from_ms, held.from_ms),
                max(run.until_ms, held.until_ms),
            )
        runs.append(held)
    return runs


def _may_join(run: Coverage, held: Coverage) -> bool:
    is_placed = run.last_id >= 0
    return is_placed or (held.from_ms <= run.until_ms and held.until_ms >= run.from_ms)


def missing(runs: Iterable[Coverage], from_ms: int, until_ms: int) -> list[Gap]:
    """Return what of [`from_ms`, `until_ms`) the runs do not hold, in order.

    Two runs whose times touch but whose ids do not adjoin leave a gap of ids with no length in
    time: rows of one millisecond may lie on both sides of a file's edge.
    """
    gaps: list[Gap] = []
    cursor, after = from_ms, None
    for run in runs:
        if run.until_ms < from_ms:
            continue
        if run.from_ms >= until_ms or cursor >= until_ms:
            break
        apart_in_ids = after is not None and run.first_id > after + 1
        if run.from_ms > cursor or apart_in_ids:
            gaps.append(Gap(cursor, max(cursor, run.from_ms), after, run.first_id))
        cursor, after = max(cursor, run.until_ms), run.last_id
    if cursor < until_ms:
        gaps.append(Gap(cursor, until_ms, after, None))
    return gaps


def lacks(runs: Iterable[Coverage], from_ms: int, until_ms: int) -> bool:
    """Tell whether any time of [`from_ms`, `until_ms`) lies in no run; ids are not looked at."""
    cursor = from_ms
    for run in sorted(runs, key=lambda run: run.from_ms):
        if run.from_ms > cursor:
            break
        cursor = max(cursor, run.until_ms)
    return cursor < until_ms


def missing_ids(
    runs: Iterable[Coverage],
    first_id: int,
    last_id: int,
    *,
    from_ms: int | None = None,
    until_ms: int | None = None,
) -> list[Missing]:
    """Return what of the ids `first_id` to `last_id` (both included) no run holds, in order.

    Args:
        runs: what is held, joined, in the order of ids.
        first_id: the lowest id wanted.
        last_id: the highest one.
        from_ms: from when on nothing lies below `first_id`, None where nobody knows.
        until_ms: up to when nothing lies above `last_id`, None where nobody knows.
    """
    found: list[Missing] = []
    cursor, since = first_id, from_ms
    for run in runs:
        if run.first_id > last_id:
            break
        if run.first_id > cursor:
            found.append(Missing(cursor, run.first_id - 1, since, None))
        if run.last_id >= cursor:
            # ids that adjoin a file join it: what the times between them hold is known from both
            cursor, since = run.last_id + 1, None
    if cursor <= last_id:
        found.append(Missing(cursor, last_id, since, until_ms))
    return found


def months(from_ms: int, until_ms: int) -> Iterator[tuple[int, int]]:
    """Cut [`from_ms`, `until_ms`) at the turns of the months (UTC), in ms.

    A bronze file lies in the folder of its month and never spans two, so what is held of a
    window is found in the folders of the window's own months.
    """
    while from_ms < until_ms:
        turn = month_end(from_ms)
        yield from_ms, min(turn, until_ms)
        from_ms = turn


def month_start(time_ms: int) -> int:
    """Return the first millisecond of the month (UTC) that `time_ms` lies in."""
    inside = from_millis(time_ms)
    return to_millis(datetime(inside.year, inside.month, 1, tzinfo=UTC))


def month_end(time_ms: int) -> int:
    """Return the first millisecond after the month (UTC) that `time_ms` lies in."""
    inside = from_millis(time_ms)
    year, month = divmod(inside.year * 12 + inside.month, 12)
    return to_millis(datetime(year, month + 1, 1, tzinfo=UTC))
