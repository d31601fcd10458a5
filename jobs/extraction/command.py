"""`candlelake extract`: lands raw answers in bronze, and nothing else; Spark is not needed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, cast

import typer

from extract.history.message import MODES, Mode
from jobs.bulk.command import bulk
from jobs.context import exchanges_of, open_lake
from jobs.extraction import run as extraction
from jobs.extraction.live import live
from jobs.extraction.minute import minute
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
    Yes,
    select,
    windowed,
)
from lake.errors import UsageError
from lake.moment import moment

Towards = Annotated[
    str, typer.Option("--mode", help="reverse from the newest, from the start, or from a date.")
]
FirstDate = Annotated[
    str | None, typer.Option("--first-date", help="reverse: the oldest day that is wanted.")
]
Recheck = Annotated[
    bool,
    typer.Option("--recheck", help="Ask for the checksums of archive files again that are held."),
]

app = typer.Typer(help="Land raw answers in bronze and do nothing else; Spark is not needed.")
app.command()(bulk)
app.command()(minute)
app.command()(live)


@app.callback(invoke_without_command=True)
def extract(
    context: typer.Context,
    *,
    env: Env = "replay",
    exchange: Exchange = None,
    kind: Kind = None,
    instruments: Instruments = None,
    start: Start = None,
    end: End = None,
    datasets: Datasets = None,
    source: Source = "rest",
    recheck: Recheck = False,
    yes: Yes = False,
    sets: Sets = None,
) -> None:
    """Land a window of the market in bronze; Spark is not needed.

    Example: candlelake extract --exchange binance --kind spot --instruments BTCUSDT
    """
    if context.invoked_subcommand:
        return
    require_archive(source, recheck=recheck)
    lake = open_lake(env, sets or ())
    selection = select(
        lake.settings,
        exchange=exchange,
        kind=kind,
        instruments=instruments,
        start=start,
        end=end,
        datasets=datasets,
        source=source,
    )
    with exchanges_of(lake.settings) as settings:
        done = extraction.prepare(lake, settings, selection, yes=yes, checks_again=recheck).run()
    changed = f" republished={done.landed.republished}" if recheck else ""
    typer.echo(f"{_told(done)}{changed}")


def require_archive(source: str, *, recheck: bool) -> None:
    """Return where a run takes the archive, or nothing of it is to be checked again.

    Raises:
        UsageError: --recheck without the archive.
    """
    if recheck and source == "rest":
        raise UsageError("--recheck is of archive files", hint="Add --source archive or auto.")


@app.command()
def history(
    *,
    mode: Towards = "start",
    env: Env = "replay",
    exchange: Exchange = None,
    kind: Kind = None,
    instruments: Instruments = None,
    first_date: FirstDate = None,
    start: Start = None,
    end: End = None,
    datasets: Datasets = None,
    yes: Yes = False,
    sets: Sets = None,
) -> None:
    """Land every trade of instruments by id: backwards, from the first one, or from a date.

    Example: candlelake extract history --mode reverse --exchange binance --kind spot
    --instruments BTCUSDT --first-date 2024-01-01
    """
    first, last = window_of(mode, first_date, start, end)
    lake = open_lake(env, sets or ())
    selection = select(
        lake.settings, exchange=exchange, kind=kind, instruments=instruments, datasets=datasets
    )
    selection = windowed(selection, first, last)
    with exchanges_of(lake.settings) as settings:
        prepared = extraction.prepare(lake, settings, selection, yes=yes, mode=mode_of(mode))
        done = prepared.run()
    typer.echo(_told(done))


def _told(done: extraction.Extraction) -> str:
    told = f"files={done.landed.files_created} rows={done.landed.rows}"
    return told if done.sent is None else f"{told} sent={done.sent}"


def mode_of(text: str | None) -> Mode | None:
    """Return the mode of this name, None for none.

    Raises:
        UsageError: there is no such mode.
    """
    if text is not None and text not in MODES:
        raise UsageError(f"--mode is one of {', '.join(MODES)}, was '{text}'")
    return cast("Mode | None", text)


def window_of(
    mode: str, first_date: str | None, start: str | None, end: str | None
) -> tuple[datetime | None, datetime | None]:
    """Return the window that a mode's own options name.

    Raises:
        UsageError: an option that the mode does not have, or lacks.
    """
    mode_of(mode)
    if first_date and mode != "reverse":
        raise UsageError("--first-date belongs to --mode reverse", hint="date takes --start.")
    if start and mode != "date":
        raise UsageError("--start belongs to --mode date", hint="reverse takes --first-date.")
    if mode == "date" and not start:
        raise UsageError("--mode date wants a --start")
    first, last = moment(first_date or start or "", "--start"), moment(end or "", "--end")
    if first and last and last <= first:
        raise UsageError(f"--end {last.isoformat()} is not after {first.isoformat()}")
    return first, last
