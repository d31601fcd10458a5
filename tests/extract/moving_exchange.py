"""A replay exchange whose clock runs with the test's own, and what the service lands of it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from extract.minute import service
from extract.minute.desk import Tally
from extract.minute.wanted import Instrument, by_host
from extract.replay.engine import Rules
from extract.replay.exchange import ReplayExchange
from extract.replay.exchange_clock import Live
from lake.bronze import parse_name
from lake.clock import Clock
from lake.objects import ObjectStore
from lake.settings import Settings
from tests.extract.asking import bodies


def moving_exchange(clock: Clock, start: datetime) -> ReplayExchange:
    """Return an exchange whose clock shows `start` when it opens, and runs with one of ours."""
    since = clock.now()

    def seconds() -> float:
        return (clock.now() - since).total_seconds()

    return ReplayExchange(Rules(live=Live(start), seconds=seconds))


def polled(
    settings: Settings,
    store: ObjectStore,
    clock: Clock,
    *,
    indexes: tuple[str, ...] = (),
    bars: tuple[str, ...] = (),
    **how_long: Any,
) -> Tally:
    """Run the service, once where nothing else is said."""
    wanted = by_host(indexes, [Instrument.of(one) for one in bars])
    how_long = how_long or {"times": 1}
    return service.run(settings, store, wanted, run_id="run-1", clock=clock, **how_long)


def prices(store: ObjectStore) -> dict[int, list[int]]:
    """Return when (µs) the exchange gave the answers of each interval (ms)."""
    return {
        parse_name(key).coverage.from_ms: [
            json.loads(body, parse_float=str)["usOut"] for body in pages
        ]
        for key, pages in bodies(store, "bronze/index_prices/").items()
    }


def claims(store: ObjectStore) -> list[tuple[int, str]]:
    """Return the open times of the bars that files claim, with their tags, sorted."""
    names = [parse_name(key) for key in bodies(store, "bronze/klines/")]
    return sorted(
        (open_time, name.tag)
        for name in names
        for open_time in range(name.coverage.from_ms, name.coverage.until_ms, 60_000)
    )
