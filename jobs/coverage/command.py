"""`candlelake coverage`: what is held of each instrument, as a table and as a heat map."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid

from jobs.context import open_context, open_lake
from jobs.coverage.drawing import Page, to_png, to_svg
from jobs.coverage.heat_map import heat_map
from jobs.coverage.holdings import Holding, HoleCount, holdings
from jobs.options import Env, Exchange, Instruments, Kind, Sets, segments_of
from jobs.sql import Format, print_rows
from lake.clock import EPOCH
from lake.errors import UsageError

Picture = Annotated[
    Path | None, typer.Option(help="Also draw the heat map, into a file .svg or .png.")
]
#: Wide enough for every column; a pipe has no width of its own.
WIDTH = 400
HEADERS = (
    *("instrument", "dataset", "ids held", "first id", "last id", "share", "proved from"),
    *("proved until", "holes", "open"),
)
OF_TEXT = ("instrument", "dataset", "holes")


@dataclass(frozen=True, slots=True)
class Figures:
    """What is held of one instrument and dataset, as CSV and JSON give it.

    Attributes:
        ids_held: how many ids are held, from first_id to last_id.
        share_held: of all ids from the first to the last, as a decimal rounded down.
        holes: how many holes and ids in them, by cause and state.
    """

    exchange: str
    kind: str
    instrument: str
    dataset: str
    ids_held: int
    first_id: int | None
    last_id: int | None
    share_held: str | None
    proved_from: datetime
    proved_until: datetime
    open_holes: int
    open_ids: int
    holes: tuple[HoleCount, ...]


COLUMNS = tuple(one.name for one in fields(Figures))


def coverage(
    *,
    exchange: Exchange = None,
    kind: Kind = None,
    instruments: Instruments = None,
    form: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.TABLE,
    picture: Picture = None,
    env: Env = "replay",
    sets: Sets = None,
) -> None:
    """Print what the ledger proves of each instrument: ids and time held, holes by cause and state.

    Example: candlelake coverage --exchange binance --kind spot --picture coverage.svg
    """
    _require_picture(picture)
    chosen = segments_of(exchange, kind, instruments)
    with open_context("coverage", open_lake(env, sets or ())) as context:
        found = holdings(context, chosen)
    if form is Format.TABLE:
        Console(width=WIDTH, color_system=None).print(as_grid(found))
    else:
        rows = [list(asdict(figures(one)).values()) for one in found]
        print_rows(COLUMNS, rows, form, sys.stdout)
    if picture is not None:
        draw(heat_map(found), picture)


def draw(page: Page, path: Path) -> None:
    """Write a page to a file whose name ends in .svg or .png.

    Raises:
        UsageError: the file can't be written, or a PNG can't be made here.
    """
    content = to_png(page) if path.suffix == ".png" else to_svg(page).encode()
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UsageError(
            f"the picture can't be written: {error.strerror}", where=str(path)
        ) from None


def as_grid(found: Sequence[Holding]) -> Grid:
    """Return the table: a line an instrument and dataset."""
    grid = Grid(box=None, pad_edge=False)
    for header in HEADERS:
        grid.add_column(header, justify="left" if header in OF_TEXT else "right")
    for one in found:
        grid.add_row(*_cells(one))
    return grid


def _require_picture(path: Path | None) -> None:
    if path is not None and path.suffix not in (".svg", ".png"):
        raise UsageError(f"--picture ends in .svg or .png, was '{path.name}'")


def _cells(holding: Holding) -> list[str]:
    one = figures(holding)
    ids = [one.ids_held, one.first_id, one.last_id]
    return [
        f"{one.exchange} {one.kind} {one.instrument}",
        one.dataset,
        *(f"{number:,}" if number is not None else "" for number in ids),
        _percent(one.share_held),
        *(f"{moment:%Y-%m-%d %H:%M:%S}" for moment in (one.proved_from, one.proved_until)),
        "; ".join(map(_told, one.holes)) or "none",
        f"{one.open_holes:,}",
    ]


def figures(holding: Holding) -> Figures:
    """Return what the ledger's entries of an instrument amount to."""
    spans, proved = holding.held(), holding.proved_entries or holding.entries
    ids = sum(span.last_id - span.first_id + 1 for span in spans)
    first, last = (spans[0].first_id, spans[-1].last_id) if spans else (None, None)
    exchange, kind, instrument, _, dataset = holding.of
    return Figures(
        exchange,
        kind,
        instrument,
        dataset,
        ids,
        first,
        last,
        _share(ids, last - first + 1) if first is not None and last is not None else None,
        EPOCH + timedelta(microseconds=min(run.from_us for run in proved)),
        EPOCH + timedelta(microseconds=max(run.until_us for run in proved)),
        len(holding.open_holes),
        sum(hole.ids for hole in holding.open_holes),
        tuple(holding.counts()),
    )


def _told(count: HoleCount) -> str:
    unit = "id" if count.ids == 1 else "ids"
    return f"{count.cause} {count.state} {count.holes:,} ({count.ids:,} {unit})"


def _share(held: int, ids: int) -> str:
    """Return held of ids as a decimal of six places, rounded down: only all of them are 1."""
    millionths = held * 1_000_000 // ids
    return f"{millionths // 1_000_000}.{millionths % 1_000_000:06}"


def _percent(share: str | None) -> str:
    if share is None:
        return ""
    if share.startswith("1"):
        return "100 %"
    return f"{int(share[2:4])}.{share[4:]} %"
