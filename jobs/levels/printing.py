"""The levels as a table, as JSON, and as metrics that Prometheus reads from a file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.table import Table as Grid

from jobs.levels.judged import Missed, level_of
from jobs.levels.measured import Measured, Series
from lake.clock import to_iso, to_millis
from lake.sections_of_keeping import Levels

HELP = {
    "candlelake_level_complete_until_seconds": "Until when a series is complete (UNIX time).",
    "candlelake_level_fresh_limit_seconds": "How long ago that may be; 0 is no promise.",
    "candlelake_level_complete_ratio": "How much of its ids or candles is complete.",
    "candlelake_level_complete_limit_ratio": "How much of it has to be.",
    "candlelake_level_bytes_per_million_rows": "Bytes that a million rows take.",
    "candlelake_level_requests_per_million_rows": "Requests for a million rows.",
    "candlelake_level_run_seconds_per_million_rows": "Seconds of the main job for a million rows.",
    "candlelake_level_costs_missed": "How many promises of cost are not kept.",
    "candlelake_levels_measured_seconds": "When this was measured (UNIX time).",
}


def as_grid(found: Measured) -> Grid:
    """Return a line a series."""
    grid = Grid(box=None, pad_edge=False)
    for name in ("dataset", "exchange", "kind", "instrument", "complete until", "share", ""):
        grid.add_column(name, justify="right" if name == "share" else "left")
    for one in found.series:
        until = "" if one.complete_until is None else to_iso(one.complete_until)
        share = "" if one.complete_share is None else f"{one.complete_share:.6f}"
        grid.add_row(one.dataset, *one.listing, until, share, "over" if one.is_over else "")
    return grid


def costs_as_grid(found: Measured) -> Grid:
    """Return a line a dataset: what it costs."""
    grid = Grid(box=None, pad_edge=False)
    for name in ("dataset", "rows", "bytes", "bytes a million rows", "requests a million rows"):
        grid.add_column(name, justify="left" if name == "dataset" else "right")
    for one in found.costs:
        costs = (one.bytes_per_million_rows, one.requests_per_million_rows)
        shown = ("" if cost is None else f"{cost:,}" for cost in costs)
        grid.add_row(one.dataset, f"{one.rows:,}", f"{one.bytes:,}", *shown)
    return grid


def as_json(found: Measured, missed: Sequence[Missed]) -> str:
    """Return one JSON object."""
    document = {
        "now": to_iso(found.now),
        "series": [
            {
                "dataset": one.dataset,
                "exchange": one.listing[0],
                "kind": one.listing[1],
                "instrument": one.listing[2],
                "complete_until": None
                if one.complete_until is None
                else to_iso(one.complete_until),
                "complete_share": one.complete_share,
                "is_over": one.is_over,
            }
            for one in found.series
        ],
        "costs": [
            {
                "dataset": one.dataset,
                "rows": one.rows,
                "bytes": one.bytes,
                "bytes_per_million_rows": one.bytes_per_million_rows,
                "requests_per_million_rows": one.requests_per_million_rows,
            }
            for one in found.costs
        ],
        "run_seconds_per_million_rows": found.run_seconds_per_million_rows,
        "missed": [f"{one.of}: {one.promise}: {one.words}" for one in missed],
    }
    return json.dumps(document, ensure_ascii=False)


def put_metrics(path: Path, found: Measured, levels: Levels, missed: Sequence[Missed]) -> None:
    """Write the metrics for node_exporter's textfile collector, whole or not at all."""
    samples: dict[str, list[str]] = {name: [] for name in HELP}
    for name, labels, value in _samples(found, levels, missed):
        told = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        samples[name].append(f"{name}{{{told}}} {value}" if told else f"{name} {value}")
    lines = []
    for name, listed in samples.items():
        if listed:
            lines += [f"# HELP {name} {HELP[name]}", f"# TYPE {name} gauge", *listed]
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    temporary.replace(path)


def _samples(
    found: Measured, levels: Levels, missed: Sequence[Missed]
) -> Iterator[tuple[str, dict[str, str], float]]:
    for one in found.series:
        yield from _of_series(one, levels)
    for cost in found.costs:
        of = {"dataset": cost.dataset}
        if cost.bytes_per_million_rows is not None:
            yield "candlelake_level_bytes_per_million_rows", of, cost.bytes_per_million_rows
        if cost.requests_per_million_rows is not None:
            yield "candlelake_level_requests_per_million_rows", of, cost.requests_per_million_rows
    if found.run_seconds_per_million_rows is not None:
        name = "candlelake_level_run_seconds_per_million_rows"
        yield name, {}, found.run_seconds_per_million_rows
    costs = sum(one.promise not in ("fresh", "complete") for one in missed)
    yield "candlelake_level_costs_missed", {}, costs
    yield "candlelake_levels_measured_seconds", {}, to_millis(found.now) / 1000


def _of_series(one: Series, levels: Levels) -> Iterator[tuple[str, dict[str, str], float]]:
    level = level_of(levels, one.dataset)
    exchange, kind, instrument = one.listing
    of = {"dataset": one.dataset, "exchange": exchange, "kind": kind, "instrument": instrument}
    if one.complete_until is not None and not one.is_over:
        until = to_millis(one.complete_until) / 1000
        yield "candlelake_level_complete_until_seconds", of, until
        yield "candlelake_level_fresh_limit_seconds", of, level.fresh_seconds
    if one.complete_share is not None:
        yield "candlelake_level_complete_ratio", of, one.complete_share
        yield "candlelake_level_complete_limit_ratio", of, level.complete_share


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
