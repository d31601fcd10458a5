"""`candlelake status`: how collectors and tables fare; its exit code tells a scheduler."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console

from jobs.context import open_lake
from jobs.options import Env, Sets
from jobs.status.printing import as_json, as_tables
from jobs.status.report import report

#: Wide enough for every column; a pipe has no width of its own.
WIDTH = 400
STALE = 1


def status(
    *,
    env: Env = "replay",
    in_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    sets: Sets = None,
) -> None:
    """Print how collectors and tables fare, a line a stream; exit 1 where something is stale.

    What is stale is set by status.* in conf/. It reads small objects of the lake, and no table.

    Example: candlelake status --json
    """
    lake = open_lake(env, sets or ())
    found = report(lake.store, lake.settings.status, lake.clock.now())
    if in_json:
        typer.echo(json.dumps(as_json(found), ensure_ascii=False))
    else:
        Console(width=WIDTH, color_system=None).print(as_tables(found))
    if not found.is_fresh:
        raise typer.Exit(STALE)
