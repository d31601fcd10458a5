"""What a job works with: settings, store, session, tables, clock and the run's own name."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Thread
from typing import Any

from pyspark.sql import SparkSession

from extract.replay.engine import Rules
from extract.replay.exchange import ReplayExchange
from extract.replay.exchange_clock import COINM, DERIBIT, DERIBIT_HISTORY, SPOT, USDM, Live
from extract.replay.limits import WeightRules
from extract.replay.stock import stock
from lake.clock import Clock, SystemClock
from lake.lease import held
from lake.objects import ObjectStore, open_store
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
    """One run of one Spark job on one lake."""

    spark: SparkSession
    tables: Tables


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
def open_context(job: str, lake: Lake, *, writes: Sequence[Table] = ()) -> Iterator[Context]:
    """Give a job its Spark session, holding the leases of the tables that it writes.

    Raises:
        LeaseError: another job writes one of the tables.
    """
    names = tuple(table.name for table in writes)
    with held(lake.store, lake.clock, names, lake.settings.lake.lease_seconds) as leases:
        guards = {lease.table: lease.require for lease in leases}

        def guard(table: Table) -> None:
            guards[table.name]()

        spark = build_session(lake.settings, f"candlelake-{job}")
        tables = Tables(spark, lake.store, guard)
        yield Context(lake.settings, lake.store, lake.clock, lake.run_id, spark, tables)


def start_session(job: str, lake: Lake) -> None:
    """Begin to start the Spark session that `open_context` will find, and return at once."""
    name = f"candlelake-{job}"
    Thread(target=build_session, args=(lake.settings, name), daemon=True).start()


@contextmanager
def exchanges_of(settings: Settings, *, moving: bool = False) -> Iterator[Settings]:
    """Give settings whose exchange addresses can be asked: for `replay` one is started here.

    Its clock stands still, or runs from the first recorded trade on where `moving` is set.
    """
    addresses = settings.model_dump()["exchanges"]
    if REPLAY not in _leaves(addresses):
        yield settings
        return
    rules = _rules(settings)
    with ReplayExchange(replace(rules, **_moving()) if moving else rules) as exchange:
        values = settings.model_dump()
        for path, url in exchange.urls.settings().items():
            _fill_in(values, path.split("."), url)
        yield Settings.model_validate(values)


def _rules(settings: Settings) -> Rules:
    binance = settings.exchanges.binance
    limits = {SPOT: binance.spot, USDM: binance.usdm, COINM: binance.coinm}
    return Rules(
        weight={
            segment: WeightRules(market.weight_limit_per_minute)
            for segment, market in limits.items()
        }
    )


def _moving() -> dict[str, Any]:
    """Return the rules of clocks that run from each market's first trade on."""
    began = {
        kind: min(
            one.start
            for one in stock()
            if (one.exchange, one.kind, one.dataset) == ("binance", kind, "trades")
        )
        for kind in ("spot", "usdm", "coinm")
    }
    generated = dict.fromkeys((USDM, COINM, DERIBIT, DERIBIT_HISTORY), began["usdm"])
    return {"live": Live(began["spot"]), "now": generated}


def _leaves(values: Mapping[str, Any]) -> Iterator[Any]:
    for value in values.values():
        if isinstance(value, Mapping):
            yield from _leaves(value)
        else:
            yield value


def _fill_in(values: dict[str, Any], path: Sequence[str], url: str) -> None:
    """Set an address where the settings say `replay`; one that a user has named stays."""
    *tables, name = path
    for table in tables:
        values = values[table]
    if values[name] == REPLAY:
        values[name] = url
