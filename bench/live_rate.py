"""Trades a second that one collector takes from a replay exchange's streams into bronze.

Run by `python -m bench.live_rate --rate 20000 --seconds 60`; the exchange is a process of its own.

    --minutes 10        memory and the collector's own share of a core, a line a minute
    --disconnects 5     how long after a reconnect at full rate the last hole is closed
    --search            the rate that it no longer bears, in steps of 10,000 from --rate on
    --kafka             once more into a topic, of a broker that it starts and stops
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench.busy_collector import BusyCollector, busy_collector
from extract.live.counters import Totals

KAFKA = str(Path(__file__).parent.parent / "deploy" / "services" / "kafka.sh")
FRAME = (
    b'{"stream":"busy000usdt@trade","data":{"e":"trade","E":1742943600003,"s":"BUSY000USDT",'
    b'"t":1000000001,"p":"87432.12","q":"0.123","T":1742943600002,"m":true,"M":true}}'
)
#: What begins is not counted: subscribing, and the first frames.
SETTLES_SECONDS = 2.0
LOOK_SECONDS = 0.02
#: A hole of a stream shows with its next frame, and is asked for after `live.hole_seconds`.
QUIET_SECONDS = 2.0
GIVES_UP_SECONDS = 60.0
STEP = 10_000
HIGHEST_RATE = 200_000
#: A collector bears a rate where this share of it comes, and nothing is lost or late.
SHARE, LATE_MS = 0.97, 5_000
PAGE_BYTES = resource.getpagesize()


@dataclass(frozen=True, slots=True)
class Look:
    """What a collector had done at a moment: its totals, and the processor's time it took (s)."""

    at_seconds: float
    used_seconds: float
    totals: Totals

    @classmethod
    def at(cls, collector: BusyCollector) -> Look:
        """Look at a collector now."""
        return cls(time.monotonic(), time.process_time(), collector.counters.totals())


def main() -> None:
    """Start a busy exchange, collect from it, and print what was seen."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=int, default=20_000)
    parser.add_argument("--instruments", type=int, default=20)
    parser.add_argument("--vendor", choices=("native", "ccxt"), default="native")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--disconnects", type=int)
    parser.add_argument("--search", action="store_true")
    parser.add_argument("--kafka", action="store_true")
    asked = parser.parse_args()
    seconds = asked.minutes * 60 if asked.minutes else asked.seconds
    if asked.search:
        _search(asked)
        return
    if not asked.disconnects:
        _tell_readers()
    with busy_collector(asked.rate, asked.instruments, asked.vendor) as collector:
        if asked.disconnects:
            _reconnect(collector, asked.disconnects)
        else:
            _sustain(collector, seconds)
    if asked.kafka:
        print("into a topic:")
        with (
            _topic() as sets,
            busy_collector(asked.rate, asked.instruments, asked.vendor, sets) as collector,
        ):
            _sustain(collector, seconds)


@contextmanager
def _topic() -> Iterator[list[str]]:
    """Run a broker; give the settings of a collector that sends to it."""
    with tempfile.TemporaryDirectory(prefix="candlelake-bench-") as folder:
        started = subprocess.run([KAFKA, "start", folder], check=True, stdout=subprocess.PIPE)
        try:
            yield [f"kafka.servers={started.stdout.decode().strip()}", "live.sink=kafka"]
        finally:
            subprocess.run([KAFKA, "stop", folder], check=True)


def _sustain(collector: BusyCollector, seconds: float) -> None:
    """Collect for so long; say each minute what memory and what of the processor it takes."""
    looks: list[Look] = []

    async def beside(_: BusyCollector) -> None:
        await asyncio.sleep(SETTLES_SECONDS)
        looks.append(Look.at(collector))
        until = looks[0].at_seconds + seconds
        while (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(60.0, left))
            looks.append(Look.at(collector))
            _tell_minute(len(looks) - 1, looks[-2], looks[-1])

    totals = collector.run(beside)
    rate, share = _between(looks[0], looks[-1])
    size = sum(path.stat().st_size for path in collector.store.root.rglob("*.gz"))
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(totals)
    print(f"  {rate:,.0f} trades a second, {seconds:.0f} s; {totals.reconnects} reconnects")
    print(f"  {share:.0%} of one core, {share / rate * 1e6:.1f} µs a trade")
    print(f"  lag of the last batch at most {_late_ms(collector)} ms, by the exchange's own clock")
    if size:
        print(f"  {size / totals.trades:.0f} bytes a trade in bronze, {totals.files} files")
    print(f"memory: at most {highest >> 10} MiB")


def _tell_minute(number: int, before: Look, now: Look) -> None:
    rate, share = _between(before, now)
    print(
        f"minute {number}: {_memory_mib()} MiB, {share:.0%} of one core, {rate:,.0f} trades a"
        f" second, holes open {now.totals.holes_open}",
        flush=True,
    )


def _late_ms(collector: BusyCollector) -> int | None:
    """Return how far bronze was behind the exchange at the last batch, None before the first."""
    lag_ms = collector.counters.totals().lag_ms
    return None if lag_ms is None else lag_ms - collector.ahead_ms


def _between(before: Look, now: Look) -> tuple[float, float]:
    """Return the trades a second, and the share of one core, between two looks."""
    took = now.at_seconds - before.at_seconds
    trades = now.totals.trades - before.totals.trades
    return trades / took, (now.used_seconds - before.used_seconds) / took


def _memory_mib() -> int:
    """Return what this process holds in memory now; its highest where the system has no /proc."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return pages * PAGE_BYTES >> 20


def _reconnect(collector: BusyCollector, times: int) -> None:
    """Lose the connection so often, and tell how soon after the reconnect all holes are closed."""
    took: list[float] = []

    async def beside(_: BusyCollector) -> None:
        for number in range(times):
            # a connection that has lived so long is reconnected at once, as one of hours is
            await asyncio.sleep(collector.settings.live.stale_seconds + 1)
            before, began = collector.counters.totals(), time.monotonic()
            await asyncio.to_thread(collector.disconnect)
            after, reconnected = await _closed_after(collector, before)
            took.append(after)
            closed = collector.counters.totals().holes_closed - before.holes_closed
            away = f"away {reconnected - began:.2f} s, {closed} holes"
            print(f"loss {number + 1}: {away}, the last closed {after:.2f} s after", flush=True)

    totals = collector.run(beside)
    print(totals)
    middle, longest = statistics.median(took), max(took)
    print(f"  all holes closed {middle:.2f} s (median), {longest:.2f} s (longest) after reconnect")
    if totals.holes_lost or totals.holes_open:
        sys.exit("a hole was lost or stayed open")


async def _closed_after(collector: BusyCollector, before: Totals) -> tuple[float, float]:
    """Return how long after the next reconnect the last hole has closed, and when that was (s)."""
    reconnected = last = 0.0
    closed, give_up = before.holes_closed, time.monotonic() + GIVES_UP_SECONDS
    while (now_seconds := time.monotonic()) < give_up:
        await asyncio.sleep(LOOK_SECONDS)
        now = collector.counters.totals()
        if not reconnected and now.reconnects > before.reconnects:
            reconnected = now_seconds
        if now.holes_closed > closed:
            closed, last = now.holes_closed, now_seconds
        is_whole = closed > before.holes_closed and now.holes_open == 0
        if reconnected and is_whole and now_seconds - last > QUIET_SECONDS:
            return last - reconnected, reconnected
    sys.exit(f"not all holes closed within {GIVES_UP_SECONDS:.0f} s: {collector.counters.totals()}")


def _search(asked: argparse.Namespace) -> None:
    """Raise the rate until the collector no longer bears it."""
    borne = 0
    for rate in range(asked.rate, HIGHEST_RATE, STEP):
        with busy_collector(rate, asked.instruments, asked.vendor) as collector:
            failure = _failure(collector, asked.seconds)
        if failure:
            print(f"borne: {borne:,} trades a second; {rate:,} are not: {failure}")
            return
        borne = rate
    print(f"borne: {borne:,} trades a second, and no more was tried")


def _failure(collector: BusyCollector, seconds: float) -> str:
    """Collect for so long; return what went wrong, empty for nothing."""
    looks: list[Look] = []

    async def beside(_: BusyCollector) -> None:
        for wait in (SETTLES_SECONDS, seconds):
            await asyncio.sleep(wait)
            looks.append(Look.at(collector))

    collector.run(beside)
    rate, share = _between(*looks)
    totals, sent = looks[1].totals, collector.busy.trades_per_second
    late_ms = (totals.lag_ms or 0) - collector.ahead_ms
    print(
        f"{sent:,} sent: {rate:,.0f} taken, {share:.0%} of one core, {late_ms} ms late", flush=True
    )
    found = {
        f"only {rate:,.0f} came": rate < SHARE * sent,
        f"{totals.holes_opened} holes": totals.holes_opened > 0,
        f"{totals.reconnects} reconnects": totals.reconnects > 0,
        f"bronze was {late_ms} ms behind": (late_ms or 0) > LATE_MS,
    }
    return ", ".join(words for words, is_so in found.items() if is_so)


def _tell_readers() -> None:
    """Print what reading the id of one frame costs, by either reader of JSON."""
    times = 100_000
    for name, read in (("orjson", orjson.loads), ("json", json.loads)):
        seconds = timeit.timeit(lambda read=read: read(FRAME)["data"]["t"], number=times)  # type: ignore[misc]
        print(f"{name}: {seconds / times * 1e6:.2f} µs a frame")


if __name__ == "__main__":
    main()
