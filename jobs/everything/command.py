"""`candlelake up`: polls, refines, publishes and serves, all on this machine, in one command."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from extract.bars import interval_ms
from jobs.context import exchanges_of, leaves, open_lake
from jobs.continuous import stopped_by_signals
from jobs.everything.crew import Part, run
from jobs.options import Env, Exchange, Instruments, Kind, Sets
from lake.errors import UsageError
from lake.settings import PREFIX, Settings

FRONT_DOOR = Path(__file__).resolve().parents[2] / "spark-submit.sh"
CANDLELAKE = (sys.executable, "-m", "jobs")

HowLong = Annotated[
    str | None, typer.Option("--for", help="How long to run, such as 90s, 10m or 1d; else on.")
]
Port = Annotated[int | None, typer.Option(help="Of the API; serve.port by default.")]


@dataclass(frozen=True, slots=True)
class Options:
    """What every process of the crew is told: the environment's name, and settings over it."""

    env: str
    sets: Sequence[str]

    @property
    def words(self) -> list[str]:
        """As options of our own commands."""
        return ["--env", self.env, *(word for one in self.sets for word in ("--set", one))]

    @property
    def environment(self) -> dict[str, str]:
        """As variables, for programs that have no such options."""
        pairs = (one.partition("=") for one in self.sets)
        named = {f"{PREFIX}{path.upper().replace('.', '__')}": value for path, _, value in pairs}
        return {"CANDLELAKE_ENV": self.env, **named}


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
        options = Options(env, [*(sets or ()), *addresses])
        live = ["--exchange", exchange, "--kind", kind] if exchange and kind else []
        live += ["--instruments", instruments] if instruments else []
        chosen = settings.serve.port if port is None else port
        run(parts_of(options, live, settings, chosen), stopping, seconds)
    if signal.SIGINT in signals:
        raise KeyboardInterrupt


def parts_of(options: Options, live: Sequence[str], settings: Settings, port: int) -> list[Part]:
    """Return what runs, readers last: who asks finds a database that knows its tables."""
    words = options.words
    collector = [Part("live", [*CANDLELAKE, "extract", "live", *live, *words])] if live else []
    address = ["--host", settings.serve.host, "--port", str(port)]
    return [
        *_polling(options, settings),
        *collector,
        Part("pipeline", [str(FRONT_DOOR), "pipeline", "--continuous", "--publish", *words]),
        Part("serve", [*CANDLELAKE, "serve", *address, *words]),
    ]


def _polling(options: Options, settings: Settings) -> list[Part]:
    """Return who polls: one process, or beat and a worker where `workers.home` is celery."""
    if settings.workers.home != "celery":
        return [Part("minute", [*CANDLELAKE, "extract", "minute", *options.words])]
    from extract.queues.minute_beat import QUEUE  # noqa: PLC0415 - Celery only where it is used

    celery = [sys.executable, "-m", "celery", "--quiet", "-A", "extract.queues.celery_app"]
    worker = [*celery, "worker", "--pool", "solo", "--queues", QUEUE, "--loglevel", "INFO"]
    beat = [*celery, "beat", "--loglevel", "WARNING"]
    named = options.environment
    return [Part("worker", worker, environment=named), Part("beat", beat, environment=named)]


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return as path=value what of the settings is only known since the exchanges run."""
    known = dict(leaves(before))
    return [f"{path}={value}" for path, value in leaves(after) if known.get(path) != value]
