"""Finds what REST has to bring beside the archive: by ids where what lies around is held."""

from __future__ import annotations

from collections.abc import Iterator

from extract.coverage import Gap, joined, missing, month_start, months
from extract.landing import Landing
from lake.bronze import Coverage


def gaps_beside(
    landing: Landing, start_ms: int, end_ms: int, *, interval: str = "", ids_too: bool = False
) -> list[Gap]:
    """Return what no file that counts holds of a window, cut where a month (UTC) turns.

    A gap knows the ids around it across the turn of a month, so that REST begins at the id after
    the archive's last one.

    Args:
        landing: whose; it says which files count.
        start_ms: the window's start.
        end_ms: its end.
        interval: of bars, else empty.
        ids_too: whether ids that lie between two files which adjoin in time count as a gap.
    """
    runs: list[Coverage] = []
    for month in months(month_start(max(0, start_ms - 1)), end_ms):
        runs = joined([*runs, *_placed(landing, month, interval)])
    found = missing(runs, start_ms, end_ms)
    return [
        part for gap in found if ids_too or gap.from_ms < gap.until_ms for part in _by_month(gap)
    ]


def _placed(landing: Landing, month: tuple[int, int], interval: str) -> Iterator[Coverage]:
    """Yield a month's runs; a day without a line says nothing of where it lies among the ids."""
    runs = landing.runs(*month, interval=interval)
    return (run for run in runs if run.last_id >= 0)


def _by_month(gap: Gap) -> Iterator[Gap]:
    parts = list(months(gap.from_ms, gap.until_ms)) or [(gap.from_ms, gap.until_ms)]
    for part in parts:
        after = gap.after_id if part == parts[0] else None
        before = gap.before_id if part == parts[-1] else None
        yield Gap(*part, after, before)
