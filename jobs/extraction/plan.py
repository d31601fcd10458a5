"""`candlelake plan`: what an extraction would ask, an instrument a line, before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid

from extract.plan import Estimate, Plan, lasting, sized
from jobs.context import exchanges_of, open_lake
from jobs.extraction import run as extraction
from jobs.extraction.command import FirstDate, mode_of, window_of
from jobs.options import (
    Datasets,
    End,
    Env,
    Exchange,
    Instruments,
    Kind,
    Sets,
    Source,
    Start,
    select,
    windowed,
)

Towards = Annotated[
    str | None, typer.Option("--mode", help="Plan a history: reverse, start or date.")
]
#: Wide enough for every column; a pipe has no width of its own.
WIDTH = 200
HEADERS = ("instrument", "dataset", "requests", "weight", "bytes", "rows", "files", "time")


def plan(
    *,
    mode: Towards = None,
    env: Env = "replay",
    exchange: Exchange = None,
    kind: Kind = None,
    instruments: Instruments = None,
    first_date: FirstDate = None,
    start: Start = None,
    end: End = None,
    datasets: Datasets = None,
    source: Source = "rest",
    sets: Sets = None,
) -> None:
    """Print what an extraction would ask; nothing lands, and what is held is left out.

    Example: candlelake plan --exchange binance --kind spot --instruments BTCUSDT
    """
    lake = open_lake(env, sets or ())
    selection = select(
        lake.settings,
        exchange=exchange,
        kind=kind,
        instruments=instruments,
        start=None if mode else start,
        end=None if mode else end,
        datasets=datasets,
        source=source,
    )
    if mode:
        selection = windowed(selection, *window_of(mode, first_date, start, end))
    with exchanges_of(lake.settings) as settings:
        found = extraction.prepare(lake, settings, selection, yes=True, mode=mode_of(mode)).plan
    console = Console(width=WIDTH, color_system=None)
    console.print(as_grid(found))
    typer.echo(f"in all: {found}")


def as_grid(plan: Plan) -> Grid:
    """Return the plan as a table: a line an instrument and dataset, and their sum."""
    grid = Grid(box=None, pad_edge=False, show_footer=False)
    for header in HEADERS:
        grid.add_column(header, justify="left" if header in HEADERS[:2] else "right")
    for part in plan.estimates:
        grid.add_row(*_cells(part, plan))
    return grid


def _cells(part: Estimate, plan: Plan) -> Iterator[str]:
    exchange, kind, instrument, dataset = part.of
    alone = Plan([part], plan.weight_per_minute)
    yield f"{exchange} {kind} {instrument}"
    yield dataset
    for figure in (part.requests, part.weight):
        yield _ranged(f"{figure:,}", part)
    yield _ranged(sized(part.bytes), part)
    for figure in (part.rows, part.files):
        yield _ranged(f"{figure:,}", part)
    yield _ranged(lasting(alone.seconds), part)


def _ranged(most: str, part: Estimate) -> str:
    """Say a number where ids are known, and a range that holds it elsewhere."""
    return f"0 to {most}" if part.is_bound else most
