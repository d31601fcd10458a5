"""`candlelake levels`: what is promised of the data, and whether it is kept."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from jobs.context import open_context, open_lake
from jobs.levels.judged import missed
from jobs.levels.measured import measure
from jobs.levels.printing import as_grid, as_json, costs_as_grid, put_metrics
from jobs.options import Env, Sets

#: Wide enough for every column; a pipe has no width of its own.
WIDTH = 200
NOT_KEPT = 1


def levels(
    *,
    in_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    metrics_file: Annotated[
        Path | None, typer.Option(help="Write Prometheus metrics here, as .prom.")
    ] = None,
    env: Env = "replay",
    sets: Sets = None,
) -> None:
    """Print how fresh, complete and costly each dataset is; exit 1 where a promise is not kept.

    What is promised is set by levels.* in conf/. It starts Spark, and writes nothing to the lake.

    Example: candlelake levels --json
    """
    lake = open_lake(env, sets or ())
    promised = lake.settings.levels
    with open_context("levels", lake) as context:
        found = measure(context, promised.window_days)
    failures = missed(found, promised)
    if metrics_file is not None:
        put_metrics(metrics_file, found, promised, failures)
    if in_json:
        typer.echo(as_json(found, failures))
    else:
        console = Console(width=WIDTH, color_system=None)
        console.print(as_grid(found))
        console.print()
        console.print(costs_as_grid(found))
    for one in failures:
        print(f"{one.of}: {one.promise}: {one.words}", file=sys.stderr)
    if failures:
        raise typer.Exit(NOT_KEPT)
