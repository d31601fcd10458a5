"""Seconds from a minute's end to its candles in gold, for live instruments of a replay exchange.

Run by `python -m bench.gold_latency --instruments 20 --minutes 5`. The exchange, the collector and
the pipeline that goes on are processes of their own. A candle counts as queryable when the commit
of `gold.ohlcv` that brings it stands in the table's log.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from pyarrow import parquet

from extract.client import Client
from extract.replay.busy.tape import Busy
from extract.replay.engine import Rules
from extract.replay.exchange import ReplayExchange
from extract.replay.exchange_clock import Live
from extract.venues.binance import MARKETS, server_time_ms
from lake.clock import SystemClock, to_millis
from lake.settings import load_settings

ROOT = Path(__file__).resolve().parents[1]
CANDLELAKE = "import sys; from jobs.cli import main; sys.exit(main())"
#: The first minutes are the session's start, and are not counted.
WARM_MINUTES = 2


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instruments", type=int, default=20)
    parser.add_argument("--rate", type=int, default=200, help="trades a second of all of them")
    parser.add_argument("--minutes", type=int, default=5)
    parser.add_argument("--log", type=Path, default=Path(os.devnull))
    asked = parser.parse_args()
    busy = Busy(instruments=asked.instruments, trades_per_second=asked.rate)
    # a candle is over by our clock: the exchange's must go with it to the millisecond
    now = datetime.now(tz=UTC)
    busy = Busy(busy.instruments, busy.trades_per_second, now - timedelta(minutes=1))
    with tempfile.TemporaryDirectory(prefix="candlelake-bench-") as folder:
        lake = Path(folder) / "lake"
        start = timedelta(milliseconds=_start_ms(busy))
        with ReplayExchange(Rules(busy=busy, live=Live(datetime.now(tz=UTC) + start))) as exchange:
            sets = _sets(exchange)
            ahead_ms = _ahead_ms(sets)
            print(f"our clock is {ahead_ms} ms ahead of the exchange's")
            with _started(lake, sets, busy, asked.log):
                time.sleep((asked.minutes + WARM_MINUTES) * 60)
        for state, is_wanted in (("complete", True), ("there", False)):
            print(f"candles that are {state}:")
            _tell(list(_latencies(lake, ahead_ms, complete=is_wanted)), asked.instruments)


def _sets(exchange: ReplayExchange) -> list[str]:
    return [f"{name}={url}" for name, url in exchange.urls.settings().items()]


def _start_ms(busy: Busy) -> int:
    """Return how long an exchange takes to start: its clock runs from then on, and ours already."""
    with ReplayExchange(Rules(busy=busy, live=Live(datetime.now(tz=UTC)))) as exchange:
        return _ahead_ms(_sets(exchange))


def _ahead_ms(sets: list[str]) -> int:
    """Return how far our clock is ahead of the exchange's."""
    settings = load_settings("replay", sets, environ={})
    clock = SystemClock()
    url = settings.exchanges.binance.spot.rest_url
    return to_millis(clock.now()) - server_time_ms(Client(settings), url, MARKETS["spot"])


@contextmanager
def _started(lake: Path, sets: list[str], busy: Busy, log: Path) -> Iterator[None]:
    words = [word for one in (f"lake.root={lake}", *sets) for word in ("--set", one)]
    collect = ["-c", CANDLELAKE, "extract", "live", "--exchange", "binance", "--kind", "spot"]
    collect += ["--streams", "trade", "--instruments", ",".join(busy.symbols)]
    with log.open("wb") as told:
        processes = []
        for command in (collect, ["-m", "jobs.pipeline", "--continuous"]):
            line = [sys.executable, *command, *words]
            processes.append(
                subprocess.Popen(line, cwd=ROOT, stdout=told, stderr=told, stdin=subprocess.DEVNULL)
            )
            time.sleep(5)
        try:
            yield
        finally:
            for process in reversed(processes):
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=300)


def _latencies(lake: Path, ahead_ms: int, *, complete: bool) -> Iterator[tuple[datetime, float]]:
    """Yield each 1-minute bar's end and how many seconds later its first row stood.

    `complete` counts those rows alone that are proved whole: by a trade of the next minute.
    """
    table = lake / "gold" / "ohlcv"
    seen: set[tuple[str, datetime]] = set()
    for name in sorted((table / "_delta_log").glob("*.json")):
        actions = [json.loads(line) for line in name.read_text().splitlines()]
        at_ms = next(one["commitInfo"]["timestamp"] for one in actions if "commitInfo" in one)
        for action in actions:
            if "add" not in action or "bar_interval=1m/" not in action["add"]["path"]:
                continue
            for row in _rows(table / action["add"]["path"]):
                place = (row["instrument"], row["bar_start"])
                if (row["is_complete"] or not complete) and place not in seen:
                    seen.add(place)
                    end = row["bar_start"] + timedelta(minutes=1)
                    yield end, (at_ms - ahead_ms - to_millis(end)) / 1000


def _rows(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as file:
        rows = parquet.read_table(file, columns=["instrument", "bar_start", "is_complete"])
    return [{**row, "bar_start": _utc(row["bar_start"])} for row in rows.to_pylist()]


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _tell(latencies: list[tuple[datetime, float]], instruments: int) -> None:
    ends = sorted({end for end, _ in latencies})
    counted = [seconds for end, seconds in latencies if end in ends[WARM_MINUTES:]]
    for end in ends:
        of_end = [seconds for at, seconds in latencies if at == end]
        print(f"{end:%H:%M} candles={len(of_end)} latest={max(of_end):.1f} s")
    if len(counted) < 2:
        sys.exit("no candle came in time")
    p95 = quantiles(counted, n=20)[-1]
    told = f"median {median(counted):.1f} s, p95 {p95:.1f} s, most {max(counted):.1f} s"
    print(f"{instruments} instruments, {len(counted)} candles: {told}")


if __name__ == "__main__":
    main()
