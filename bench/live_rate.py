"""Trades a second that one collector takes from a replay exchange's streams into bronze.

Run by `python -m bench.live_rate --rate 20000 --seconds 60`; the exchange is a process of its own.
With `--kafka` it does the same once more into a topic, of a broker that it starts and stops.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import resource
import subprocess
import tempfile
import time
import timeit
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import orjson

from extract.client import Client
from extract.live.collector import Tools, collect
from extract.live.counters import Counters
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

KAFKA = str(Path(__file__).parent.parent / "deploy" / "services" / "kafka.sh")
FRAME = (
    b'{"stream":"busy000usdt@trade","data":{"e":"trade","E":1742943600003,"s":"BUSY000USDT",'
    b'"t":1000000001,"p":"87432.12","q":"0.123","T":1742943600002,"m":true,"M":true}}'
)


def main() -> None:
    """Start a busy exchange, collect from it, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=20_000)
    parser.add_argument("--instruments", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--kafka", action="store_true", help="then into a topic too")
    asked = parser.parse_args()
    _told_readers()
    busy = Busy(instruments=asked.instruments, trades_per_second=asked.rate)
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    exchange = context.Process(target=_serve, args=(busy, there), daemon=True)
    exchange.start()
    sets = [f"{name}={url}" for name, url in here.recv().items()]
    _measured(sets, busy, asked.seconds)
    if asked.kafka:
        with _broker() as servers:
            print("into a topic:")
            _measured([*sets, f"kafka.servers={servers}", "live.sink=kafka"], busy, asked.seconds)
    exchange.terminate()
    exchange.join()


def _measured(sets: Sequence[str], busy: Busy, seconds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="candlelake-bench-") as folder:
        _told(load_settings("replay", sets, environ={}), FolderStore(Path(folder)), busy, seconds)


@contextmanager
def _broker() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="candlelake-bench-") as folder:
        started = subprocess.run([KAFKA, "start", folder], check=True, stdout=subprocess.PIPE)
        try:
            yield started.stdout.decode().strip()
        finally:
            subprocess.run([KAFKA, "stop", folder], check=True)


def _sink(settings: Settings, store: FolderStore, clock: SystemClock) -> Sink:
    if settings.live.sink == "kafka":
        # the client is no part of what collectors need
        from extract.live.kafka_sink import KafkaSink  # noqa: PLC0415

        return KafkaSink(settings.kafka, clock, region="bench", run_id="bench", patience_seconds=10)
    return BronzeSink(store, clock, region="bench", run_id="bench", patience_seconds=10)


def _serve(busy: Busy, there: Connection) -> None:
    start = busy.start + timedelta(minutes=30)
    with ReplayExchange(Rules(busy=busy, live=Live(start))) as exchange:
        there.send(exchange.urls.settings())
        exchange.wait()


def _told(settings: Settings, store: FolderStore, busy: Busy, seconds: int) -> None:
    client, clock, counters = Client(settings), SystemClock(), Counters()
    streams = subscribed(settings, "binance", "spot", busy.symbols, ["trade"])
    sink = _sink(settings, store, clock)
    filler = Filler(settings, store, client, run_id="bench")
    chance = random.Random(1)  # noqa: S311 - jitter is no secret
    tools = Tools(sink, filler, clock, counters, chance)

    async def run() -> None:
        stop = asyncio.Event()
        await collect(settings, [streams], {}, tools, stop=stop, life_seconds=seconds)

    ahead_ms = to_millis(clock.now()) - server_time_ms(
        client, settings.exchanges.binance.spot.rest_url, MARKETS["spot"]
    )
    began, began_busy = time.monotonic(), time.process_time()
    asyncio.run(run())
    took, used = time.monotonic() - began, time.process_time() - began_busy
    totals = counters.totals()
    size = sum(path.stat().st_size for path in store.root.rglob("*.gz"))
    print(totals)
    print(f"  {totals.trades / seconds:,.0f} trades a second, {took:.1f} s")
    print(f"  {used / took:.0%} of one core, {used * 1e6 / totals.trades:.1f} µs a trade")
    lag_ms = (totals.lag_ms or 0) - ahead_ms
    print(f"  lag of the last batch at most {lag_ms} ms, by the exchange's own clock")
    if totals.files:
        print(f"  {size / totals.trades:.0f} bytes a trade in bronze, {totals.files} files")
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"memory: at most {highest >> 10} MiB")


def _told_readers() -> None:
    """Print what reading the id of one frame costs, by either reader of JSON."""
    times = 100_000
    for name, read in (("orjson", orjson.loads), ("json", json.loads)):
        seconds = timeit.timeit(lambda read=read: read(FRAME)["data"]["t"], number=times)  # type: ignore[misc]
        print(f"{name}: {seconds / times * 1e6:.2f} µs a frame")


if __name__ == "__main__":
    main()
