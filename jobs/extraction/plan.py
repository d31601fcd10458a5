"""`candlelake plan`: what an extraction would ask, an instrument a line, before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from extract.plan import Estimate, Plan, lasting, sized
from jobs.context import Lake, exchanges_of, open_lake
from jobs.extraction import run as extraction
from jobs.extraction.command import FirstDate, Recheck, mode_of, require_archive, window_of
from jobs.options import (
    Datasets,
    End,
    Env,
    Exchange,
    Instruments,
    Kind,
    Selection,
    Sets,
    Source,
    Start,
    select,
    windowed,
)

Towards = Annotated[
    str | None, typer.Option("--mode", help="Plan a history: reverse, start or date.")
]
HEADERS = ("instrument", "dataset", "requests", "weight", "bytes", "rows", "files", "time")
#: The first columns are names, the others figures.
NAMES = 2


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
    recheck: Recheck = False,
    sets: Sets = None,
) -> None:
    """Print what an extraction would ask; nothing lands, and what is held is left out.

    Example: candlelake plan --exchange binance --kind spot --instruments BTCUSDT
    """
    require_archive(source, recheck=recheck)
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
    found = _foreseen(lake, selection, mode, recheck=recheck)
    for line in as_table(found):
        typer.echo(line)
    typer.echo(f"in all: {found}")


def _foreseen(lake: Lake, selection: Selection, mode: str | None, *, recheck: bool) -> Plan:
    with exchanges_of(lake.settings) as settings:
        prepared = extraction.prepare(
            lake,
            settings,
            selection,
            yes=True,
            mode=mode_of(mode),
            checks_again=recheck,
            only_plan=True,
        )
    return prepared.plan


def as_table(plan: Plan) -> Iterator[str]:
    """Yield the plan as a table: a line an instrument and dataset, below the names of columns."""
    rows = [HEADERS, *(tuple(_cells(part, plan)) for part in plan.estimates)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        names = [cell.ljust(width) for cell, width in zip(row[:NAMES], widths, strict=False)]
        figures = [
            cell.rjust(width) for cell, width in zip(row[NAMES:], widths[NAMES:], strict=True)
        ]
        yield "  ".join([*names, *figures]).rstrip()


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
