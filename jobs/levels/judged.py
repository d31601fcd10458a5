"""Which of the promises is kept, and which is not, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from jobs.levels.measured import Cost, Measured, Series
from lake.clock import to_iso
from lake.sections_of_keeping import Level, Levels

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Missed:
    """A promise that is not kept: of what, which one, and in words."""

    of: str
    promise: str
    words: str


def missed(found: Measured, levels: Levels) -> Sequence[Missed]:
    """Return the promises that are not kept."""
    return [
        *(one for series in found.series for one in _of_series(found, series, levels)),
        *(one for cost in found.costs for one in _of_cost(cost, level_of(levels, cost.dataset))),
        *_of_runs(found, levels),
    ]


def level_of(levels: Levels, dataset: str) -> Level:
    """Return what is promised of a dataset."""
    return {"trades": levels.trades, "agg_trades": levels.agg_trades, "candles": levels.candles}[
        dataset
    ]


def _of_series(found: Measured, series: Series, levels: Levels) -> Iterator[Missed]:
    level, name = level_of(levels, series.dataset), f"{series.dataset} {' '.join(series.listing)}"
    if level.fresh_seconds and not series.is_over:
        until = series.complete_until
        if until is None:
            yield Missed(name, "fresh", "nothing is proved complete yet")
        elif found.now - until > timedelta(seconds=level.fresh_seconds):
            late = (found.now - until) // SECOND
            words = f"complete until {to_iso(until)}, {late} s ago; at most {level.fresh_seconds:g}"
            yield Missed(name, "fresh", words)
    share = series.complete_share
    if share is not None and share < level.complete_share:
        words = f"{share:.6f} is complete; at least {level.complete_share:g}"
        yield Missed(name, "complete", words)


def _of_cost(cost: Cost, level: Level) -> Iterator[Missed]:
    pairs = (
        ("bytes a million rows", cost.bytes_per_million_rows, level.bytes_per_million_rows),
        (
            "requests a million rows",
            cost.requests_per_million_rows,
            level.requests_per_million_rows,
        ),
    )
    for promise, value, limit in pairs:
        if limit and value is not None and value > limit:
            yield Missed(cost.dataset, promise, f"{value:,}; at most {limit:,}")


def _of_runs(found: Measured, levels: Levels) -> Iterator[Missed]:
    seconds, limit = found.run_seconds_per_million_rows, levels.run_seconds_per_million_rows
    if limit and seconds is not None and seconds > limit:
        yield Missed("pipeline", "seconds a million rows", f"{seconds:.1f}; at most {limit:g}")
