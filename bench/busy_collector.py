"""A collector in this process on the streams of a busy replay exchange in another one."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from extract.client import Client
from extract.host import Hosts
from extract.live.collector import Tools, collect
from extract.live.counters import Counters, Totals
from extract.live.filling import Filler
from extract.live.sink import BronzeSink, Sink
from extract.live.venues import subscribed
from extract.replay.busy.tape import Busy
from extract.replay.engine import Rules
from extract.replay.exchange import ReplayExchange
from extract.replay.exchange_clock import Live
from extract.venues.binance import MARKETS, server_time_ms
from lake.clock import SystemClock, to_millis
from lake.objects import FolderStore
from lake.settings import Settings, load_settings

ASK_SECONDS = 10
Beside = Callable[["BusyCollector"], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class BusyCollector:
    """One collector and the lake in a folder that it fills.

    Attributes:
        settings: they point at the exchange.
        busy: what the exchange sends.
        store: the lake.
        vendor: who connects.
        counters: of the collector.
        ahead_ms: how far our clock is before the exchange's.
    """

    settings: Settings
    busy: Busy
    store: FolderStore
    vendor: str
    counters: Counters = field(default_factory=Counters)
    ahead_ms: int = 0

    def run(self, beside: Beside) -> Totals:
        """Collect until `beside` returns."""
        clock, hosts = SystemClock(), Hosts()
        client = Client(self.settings, clock=clock, hosts=hosts)
        spot = self.settings.exchanges.binance.spot.rest_url
        self.ahead_ms = to_millis(clock.now()) - server_time_ms(client, spot, MARKETS["spot"])
        sink = self._sink(clock)
        filler = Filler(self.settings, self.store, client, run_id="bench")
        chance = random.Random(1)  # noqa: S311 - jitter is no secret
        try:
            asyncio.run(self._run(Tools(sink, filler, clock, self.counters, chance), beside))
        finally:
            hosts.close()
        return self.counters.totals()

    def _sink(self, clock: SystemClock) -> Sink:
        if self.settings.live.sink == "bronze":
            return BronzeSink(
                self.store, clock, region="bench", run_id="bench", patience_seconds=10
            )
        # the client is no part of what collectors need
        from extract.live.kafka_sink import KafkaSink  # noqa: PLC0415

        kafka = self.settings.kafka
        return KafkaSink(kafka, clock, region="bench", run_id="bench", patience_seconds=10)

    async def _run(self, tools: Tools, beside: Beside) -> None:
        stop = asyncio.Event()
        streams = subscribed(
            self.settings, "binance", "spot", self.busy.symbols, ["trade"], vendor=self.vendor
        )
        collecting = asyncio.create_task(collect(self.settings, [streams], {}, tools, stop=stop))
        besides = asyncio.create_task(beside(self))
        await asyncio.wait({collecting, besides}, return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        await collecting
        await besides

    def disconnect(self) -> None:
        """Let the exchange drop the connection at the next trade of the first symbol."""
        spot = urlsplit(self.settings.exchanges.binance.spot.rest_url)
        faults = f"{spot.scheme}://{spot.netloc}/replay/faults"
        path = f"{self.busy.symbols[0].lower()}@trade"
        done = requests.post(
            faults, json=[{"kind": "disconnect", "path": path}], timeout=ASK_SECONDS
        )
        done.raise_for_status()


@contextmanager
def busy_collector(
    rate: int, instruments: int, vendor: str, overrides: Sequence[str] = ()
) -> Iterator[BusyCollector]:
    """Run a busy exchange in a process of its own, and give a collector for it."""
    busy = Busy(instruments=instruments, trades_per_second=rate)
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    exchange = context.Process(target=_serve, args=(busy, there), daemon=True)
    exchange.start()
    try:
        sets = [f"{name}={url}" for name, url in here.recv().items()]
        with tempfile.TemporaryDirectory(prefix="candlelake-bench-") as folder:
            settings = load_settings("replay", [*sets, *overrides], environ={})
            yield BusyCollector(settings, busy, FolderStore(Path(folder)), vendor)
    finally:
        exchange.terminate()
        exchange.join()


def _serve(busy: Busy, there: Connection) -> None:
    start = busy.start + timedelta(minutes=30)
    with ReplayExchange(Rules(busy=busy, live=Live(start))) as exchange:
        there.send(exchange.urls.settings())
        exchange.wait()
