"""Runs a collector in the process of a test, and reads back from bronze what it has landed."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter as Multiset
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from extract.client import Client
from extract.host import Hosts
from extract.live.collector import Subscribed, Tools, collect
from extract.live.counters import Counters, Totals
from extract.live.filling import Filler
from extract.live.resuming import held_of
from extract.live.sink import BronzeSink, Sink
from extract.live.venues import subscribed
from lake.bronze import SUFFIX, read_lines
from lake.clock import Clock, SystemClock, to_millis
from lake.objects import ObjectStore
from lake.packs import names_below
from lake.settings import Settings

WAIT_SECONDS = 60.0


@dataclass
class Collector:
    """A collector of some streams on a lake; each run of it is a start of its own."""

    settings: Settings
    store: ObjectStore
    clock: Clock = field(default_factory=SystemClock)
    exchange: str = "binance"
    kind: str = "spot"
    instruments: Sequence[str] = ("BTCUSDT",)
    streams: Sequence[str] = ("trade",)
    run_id: str = "run-1"
    region: str = "here"
    vendor: str = "native"
    counters: Counters = field(default_factory=Counters)

    def collect(
        self,
        until: Callable[[Totals], bool],
        *,
        sink: Sink | None = None,
        life_seconds: float | None = None,
        beside: Callable[[], None] = lambda: None,
    ) -> Totals:
        """Collect until the totals say so; fails after WAIT_SECONDS."""
        hosts = Hosts()
        chosen = [
            subscribed(
                self.settings,
                self.exchange,
                self.kind,
                self.instruments,
                self.streams,
                vendor=self.vendor,
            )
        ]
        try:
            tools = self._tools(
                sink or self.sink(), Client(self.settings, clock=self.clock, hosts=hosts)
            )
            return asyncio.run(self._run(chosen, tools, until, beside, life_seconds))
        finally:
            hosts.close()

    async def _run(
        self,
        chosen: Sequence[Subscribed],
        tools: Tools,
        until: Callable[[Totals], bool],
        beside: Callable[[], None],
        life_seconds: float | None,
    ) -> Totals:
        stop = asyncio.Event()

        async def watch() -> None:
            while not until(self.counters.totals()):
                beside()
                await asyncio.sleep(0.02)
            stop.set()

        streams = [stream for one in chosen for stream in one.streams]
        back = self.settings.live.look_back_seconds * 1000
        held = held_of(self.store, streams, back, to_millis(self.clock.now()))
        watching = asyncio.create_task(watch())
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                return await collect(
                    self.settings, chosen, held, tools, stop=stop, life_seconds=life_seconds
                )
        except TimeoutError as error:
            raise AssertionError(f"still not so: {self.counters.totals()}") from error
        finally:
            watching.cancel()

    def _tools(self, sink: Sink, client: Client) -> Tools:
        filler = Filler(self.settings, self.store, client, run_id=self.run_id)
        chance = random.Random(1)  # noqa: S311 - jitter
        return Tools(sink, filler, self.clock, self.counters, chance)

    def sink(self, patience_seconds: float = 5) -> BronzeSink:
        """Return where the batches go."""
        return BronzeSink(
            self.store,
            self.clock,
            region=self.region,
            run_id=self.run_id,
            patience_seconds=patience_seconds,
        )


def lines(store: ObjectStore, dataset: str = "trades") -> Iterator[dict[str, Any]]:
    """Yield all envelopes of a dataset."""
    for key in store.names(f"bronze/{dataset}/"):
        if key.endswith(SUFFIX):
            yield from read_lines(store.read(key) or b"")


def live_ids(store: ObjectStore, instrument: str = "BTCUSDT") -> Multiset[int]:
    """Return the ids of spot trades in live frames, and how often each came."""
    frames = (
        json.loads(line["body"])["data"]
        for line in lines(store)
        if line["mode"] == "live" and line["instrument"] == instrument
    )
    return Multiset(frame["t"] for frame in frames)


def claimed(store: ObjectStore, instrument: str = "BTCUSDT", dataset: str = "trades") -> set[int]:
    """Return every id that a name or a coverage object says is held."""
    return {
        one
        for name in names_below(store, f"bronze/{dataset}/")
        if name.instrument == instrument
        for one in range(name.coverage.first_id, name.coverage.last_id + 1)
    }


def all_ids(store: ObjectStore, instrument: str = "BTCUSDT") -> set[int]:
    """Return the ids of spot trades in all bodies, live and REST."""
    found = set(live_ids(store, instrument))
    for line in lines(store):
        if line["mode"] == "history" and line["instrument"] == instrument:
            found |= {row["id"] for row in json.loads(line["body"])}
    return found


def whole(ids: set[int]) -> set[int]:
    """Return the ids from the lowest to the highest, all of them."""
    return set(range(min(ids), max(ids) + 1))
