"""`candlelake up`: polls, refines, publishes and serves, all on this machine, in one command."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from extract.bars import interval_ms
from jobs.context import exchanges_of, open_lake
from jobs.continuous import stopped_by_signals
from jobs.everything.crew import Part, run
from jobs.options import Env, Exchange, Instruments, Kind, Sets
from lake.errors import UsageError

FRONT_DOOR = Path(__file__).resolve().parents[2] / "spark-submit.sh"
CANDLELAKE = (sys.executable, "-m", "jobs")

HowLong = Annotated[
    str | None, typer.Option("--for", help="How long to run, such as 90s, 10m or 1d; else on.")
]
Port = Annotated[int | None, typer.Option(help="Of the API; serve.port by default.")]


def up(
    *,
    port: Port = None,
    exchange: Exchange = None,
    kind: Kind = None,
    instruments: Instruments = None,
    how_long: HowLong = None,
    env: Env = "replay",
    sets: Sets = None,
) -> None:
    """Poll index prices each minute, keep the lake fresh, publish, and serve; until interrupted.

    With --exchange, --kind and --instruments their trades and bars are collected live as well.

    Example: candlelake up --for 10m
    """
    seconds = interval_ms(how_long) / 1000 if how_long else None
    lake = open_lake(env, sets or ())
    if instruments and not (exchange and kind):
        raise UsageError("--instruments needs --exchange and --kind beside it")
    with (
        exchanges_of(lake.settings, clock="running") as settings,
        stopped_by_signals() as (stopping, signals),
    ):
        addresses = _changed(lake.settings.model_dump(), settings.model_dump())
        options = ["--env", env, *_as_sets([*(sets or ()), *addresses])]
        live = ["--exchange", exchange, "--kind", kind] if exchange and kind else []
        live += ["--instruments", instruments] if instruments else []
        chosen = settings.serve.port if port is None else port
        run(
            _parts(options, [word for word in live if word], settings.serve.host, chosen),
            stopping,
            seconds,
        )
    if signal.SIGINT in signals:
        raise KeyboardInterrupt


def _parts(options: Sequence[str], live: Sequence[str], host: str, port: int) -> list[Part]:
    """Return what runs, readers last: who asks finds a database that knows its tables."""
    collector = [Part("live", [*CANDLELAKE, "extract", "live", *live, *options])] if live else []
    return [
        Part("minute", [*CANDLELAKE, "extract", "minute", *options]),
        *collector,
        Part("pipeline", [str(FRONT_DOOR), "pipeline", "--continuous", "--publish", *options]),
        Part("serve", [*CANDLELAKE, "serve", "--host", host, "--port", str(port), *options]),
    ]


def _as_sets(settings: Sequence[str]) -> list[str]:
    return [word for one in settings for word in ("--set", one)]


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return as path=value what of the settings is only known since the exchanges run."""
    known = dict(_leaves(before))
    return [f"{path}={value}" for path, value in _leaves(after) if known.get(path) != value]


def _leaves(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value
