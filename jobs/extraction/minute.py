"""`candlelake extract minute`: polls index prices and newest bars on the exchange's clock."""

from __future__ import annotations

from typing import Annotated

import typer

from extract.bars import interval_ms
from extract.minute import service
from extract.minute.desk import Tally
from extract.minute.wanted import Instrument, Wanted, by_host
from jobs.context import exchanges_of, open_lake
from jobs.options import Env, Exchange, Instruments, Kind, Sets, names_in
from lake.errors import UsageError
from lake.settings import Settings

Once = Annotated[bool, typer.Option("--once", help="Poll the interval that ended last, and end.")]
HowLong = Annotated[
    str | None, typer.Option("--for", help="How long to poll, such as 90s, 10m or 1d; else on.")
]
Indexes = Annotated[
    str | None, typer.Option(help="Deribit's names, parted by commas; minute.indexes by default.")
]
Bars = Annotated[
    bool | None,
    typer.Option(
        "--bars/--no-bars",
        help="The newest 1m bars too: of --instruments, else of minute.bars, where they are"
        " polled even unasked.",
    ),
]


def minute(
    *,
    once: Once = False,
    how_long: HowLong = None,
    exchange: Exchange = None,
    kind: Kind = None,
    indexes: Indexes = None,
    bars: Bars = None,
    instruments: Instruments = None,
    env: Env = "replay",
    sets: Sets = None,
) -> None:
    """Poll index prices each minute, and the newest bars where wanted; Spark is not needed.

    Example: candlelake extract minute --once --indexes btc_usd,eth_usd
    """
    if once and how_long:
        raise UsageError("--once and --for exclude each other")
    seconds = interval_ms(how_long) // 1000 if how_long else None
    lake = open_lake(env, sets or ())
    wanted = chosen(
        lake.settings,
        exchange=exchange,
        kind=kind,
        indexes=indexes,
        bars=bars,
        instruments=instruments,
    )
    with exchanges_of(lake.settings, clock="running") as settings:
        tally = service.run(
            settings,
            lake.store,
            wanted,
            run_id=lake.run_id,
            clock=lake.clock,
            seconds=seconds,
            times=1 if once else None,
        )
    typer.echo(told(tally))
    if tally.failure and (once or not tally.landed.rows):
        raise tally.failure


def chosen(
    settings: Settings,
    *,
    exchange: str | None = None,
    kind: str | None = None,
    indexes: str | None = None,
    bars: bool | None = None,
    instruments: str | None = None,
) -> list[Wanted]:
    """Return what the options name, by host; the settings name what they leave out.

    Raises:
        UsageError: nothing is named, or what can't be polled.
    """
    if instruments and not (exchange and kind):
        raise UsageError("--instruments needs --exchange and --kind beside it")
    if instruments and not bars:
        raise UsageError("--instruments are those of bars", hint="Add --bars.")
    names = names_in(indexes) if indexes is not None else settings.minute.indexes
    if exchange not in (None, "deribit"):
        if indexes:
            raise UsageError(f"{exchange} has no indexes", hint="Those of deribit are polled.")
        names = ()
    of_bars = _instruments(settings, exchange, kind, instruments) if bars is not False else []
    if bars and not of_bars:
        raise UsageError(
            "--bars names no instrument", hint="Use --instruments, or the setting minute.bars."
        )
    return by_host(names, of_bars)


def told(tally: Tally) -> str:
    """Return what a run came to, in one line."""
    return (
        f"polls={tally.polls} files={tally.landed.files_created} rows={tally.landed.rows}"
        f" missed={tally.missed} failed={tally.failed}"
    )


def _instruments(
    settings: Settings, exchange: str | None, kind: str | None, instruments: str | None
) -> list[Instrument]:
    if instruments:
        return [Instrument.of(f"{exchange}/{kind}/{name}") for name in names_in(instruments)]
    named = [Instrument.of(one) for one in settings.minute.bars]
    return [one for one in named if exchange in (None, one.exchange) and kind in (None, one.kind)]
