"""What a job works with: settings, store, session, tables, clock and the run's own name."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from threading import Thread
from typing import Any

from pyspark.sql import SparkSession

from extract.replay.exchange import ReplayExchange
from jobs.replay_rules import ReplayClock, rules_of
from lake.clock import Clock, SystemClock
from lake.lease import Lease, held
from lake.objects import ObjectStore, open_store
from lake.room import require_room
from lake.run import claim, new_run_id
from lake.session import build_session
from lake.settings import Settings, load_settings
from lake.storage import Tables
from lake.tables import Table

log = logging.getLogger(__name__)

REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class Lake:
    """One run on one lake, without Spark: enough to extract."""

    settings: Settings
    store: ObjectStore
    clock: Clock
    run_id: str


@dataclass(frozen=True, slots=True)
class Context(Lake):
    """One run of one Spark job on one lake.

    Attributes:
        tried: the newest batch that each gate has seen in this run, and how often: by table,
            stream, and whether it is a stream's batch at all.
        leases: of the tables that the run writes.
        projected: the instrument-days of which this run has seen that the rows of `gold.ohlcv`
            are the newest revisions.
    """

    spark: SparkSession
    tables: Tables
    leases: tuple[Lease, ...] = ()
    tried: dict[tuple[str, str, bool], tuple[int, int]] = field(default_factory=dict)
    projected: set[tuple[str, str, str, date]] = field(default_factory=set)


def open_lake(env: str, overrides: Sequence[str]) -> Lake:
    """Open a lake; a new one records its environment.

    Raises:
        SettingsError: the configuration is wrong.
        UsageError: the lake belongs to another environment.
        StorageError: the store can't be reached.
    """
    settings = load_settings(env, overrides)
    store = open_store(settings.lake.root)
    claim(store, settings.env)
    clock = SystemClock()
    return Lake(settings, store, clock, new_run_id(clock))


@contextmanager
def open_context(
    job: str, lake: Lake, *, writes: Sequence[Table] = (), jars: Sequence[str] = ()
) -> Iterator[Context]:
    """Give a job its Spark session, holding the leases of the tables that it writes.

    `jars` are the groups that it needs beside those of every job.

    Raises:
        LeaseError: another job writes one of the tables.
        RoomError: it writes, and there is no room.
    """
    if writes:
        require_room(lake.store, lake.settings.room)
    names = tuple(table.name for table in writes)
    with held(lake.store, lake.clock, names, lake.settings.lake.lease_seconds) as leases:
        guards = {lease.table: lease.require for lease in leases}

        def guard(table: Table) -> None:
            guards[table.name]()

        spark = build_session(lake.settings, f"candlelake-{job}", jars=jars)
        tables = Tables(spark, lake.store, guard)
        yield Context(lake.settings, lake.store, lake.clock, lake.run_id, spark, tables, leases)


def start_session(job: str, lake: Lake) -> None:
    """Begin to start the Spark session that `open_context` will find, and return at once."""
    name = f"candlelake-{job}"
    Thread(target=build_session, args=(lake.settings, name), daemon=True).start()


@contextmanager
def exchanges_of(settings: Settings, *, clock: ReplayClock = "still") -> Iterator[Settings]:
    """Give settings whose exchange addresses can be asked: for `replay` one is started here.

    `clock` is the replay's: it stands still, so that runs are alike, or it runs.
    """
    addresses = settings.model_dump()["exchanges"]
    if REPLAY not in dict(leaves(addresses)).values():
        yield settings
        return
    with ReplayExchange(rules_of(settings, clock)) as exchange:
        values = settings.model_dump()
        for path, url in exchange.urls.settings().items():
            _fill_in(values, path.split("."), url)
        yield Settings.model_validate(values)


def leaves(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each setting under its name, the path in the TOML."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


def _fill_in(values: dict[str, Any], path: Sequence[str], url: str) -> None:
    """Set an address where the settings say `replay`; one that a user has named stays."""
    *tables, name = path
    for table in tables:
        values = values[table]
    if values[name] == REPLAY:
        values[name] = url
