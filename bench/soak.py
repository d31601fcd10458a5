"""Soaks the live path: collectors and the pipeline lose connections, stall and are killed.

Run by `python -m bench.soak --minutes 15`. The recorded trades of three instruments are replayed so
slowly that they fill the time. At the end silver is compared with the recording, trade for trade,
and the ledger is looked through for open holes; anything else than equal ends with exit code 1.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from extract.replay import recordings
from extract.replay.engine import Rules
from extract.replay.exchange import ReplayExchange
from extract.replay.exchange_clock import Live
from extract.replay.faults import Fault
from extract.replay.trade_tape import recorded_trades

ROOT = Path(__file__).resolve().parents[1]
INSTRUMENTS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
#: When the recorded trades begin, and how long they last.
BEGIN = datetime(2025, 3, 25, 23, 7, tzinfo=UTC)
RECORDED_SECONDS = 185
#: The first collector has so long to start: a stream begins with its first frame.
LEAD_SECONDS = 20
CANDLELAKE = "import sys; from jobs.cli import main; sys.exit(main())"
#: What a collector is told: small batches, and a hole is asked for soon.
LIVE = ("live.seconds=2", "live.hole_seconds=0.5", "live.quiet_seconds=5")
LIVES = 6
COLLECT = ("extract", "live", "--exchange", "binance", "--kind", "spot", "--streams", "trade")

Trade = tuple[str, int, str, str, int, str]


@dataclass
class Report:
    """What a soak came to."""

    recorded: int = 0
    in_silver: int = 0
    missing: int = 0
    beyond: int = 0
    differing: int = 0
    open_holes: int = 0
    events: dict[str, int] = field(default_factory=dict)

    @property
    def is_sound(self) -> bool:
        """Whether silver is the recording, and the ledger has no open hole."""
        wrong = self.missing + self.beyond + self.differing + self.open_holes
        return self.recorded > 0 and wrong == 0


class Soak:
    """One lake that is fed and refined while everything around it fails now and then."""

    def __init__(self, lake: Path, minutes: float, seed: int) -> None:
        self.lake = lake
        self.seconds = minutes * 60
        self.chance = random.Random(seed)  # noqa: S311 - faults are no secret
        self.report = Report()
        self._over = threading.Event()
        self._processes: list[subprocess.Popen[bytes]] = []

    def run(self) -> Report:
        """Run it to its end and compare."""
        speed = Decimal(RECORDED_SECONDS) / Decimal(int(self.seconds))
        lead = timedelta(microseconds=int(LEAD_SECONDS * speed * 1_000_000))
        with ReplayExchange(Rules(live=Live(BEGIN - lead, speed))) as exchange:
            exchange.order(*self._faults())
            self._addresses = [f"{name}={url}" for name, url in exchange.urls.settings().items()]
            pipeline = threading.Thread(target=self._keep_refining)
            pipeline.start()
            try:
                self._collect()
                self._collect_once(seconds=15)
            finally:
                self._over.set()
                pipeline.join()
            self._refine()
        self._compare()
        return self.report

    def _faults(self) -> Iterator[Fault]:
        yield Fault("random_disconnect", one_in=900, seed=self.chance.randrange(1000), times=10_000)
        for instrument in INSTRUMENTS:
            path = f"{instrument.lower()}@trade"
            yield Fault("dropped_message", path=path, after=150, times=7)
            yield Fault("duplicated_message", path=path, after=300, times=5)
            yield Fault("silence", path=path, after=600, times=1)

    def _collect(self) -> None:
        """Start a collector for each part of the time; some are frozen, some are killed."""
        life = (self.seconds + LEAD_SECONDS) / LIVES
        for number in range(LIVES):
            process = self._collector(f"{int(life)}s", "4s")
            middle = life * self.chance.uniform(0.3, 0.7)
            time.sleep(middle)
            if number % 3 == 1:
                self._count("collectors killed")
                process.send_signal(signal.SIGKILL)
                process.wait()
            elif number % 3 == 2:
                self._count("collectors frozen")
                process.send_signal(signal.SIGSTOP)
                time.sleep(2)
                process.send_signal(signal.SIGCONT)
            time.sleep(max(0.0, life - middle))

    def _collect_once(self, seconds: int) -> None:
        """Let the last ones end, and one more bring what a kill has lost."""
        for process in self._processes:
            if process.poll() is None:
                process.wait(timeout=60)
        self._collector(f"{seconds}s", None).wait(timeout=seconds + 60)

    def _collector(self, lifetime: str, overlap: str | None) -> subprocess.Popen[bytes]:
        words = [*COLLECT, "--instruments", ",".join(INSTRUMENTS), "--lifetime", lifetime]
        words += ["--overlap", overlap] if overlap else []
        self._count("collectors")
        process = self._started([sys.executable, "-c", CANDLELAKE, *words], *LIVE)
        self._processes.append(process)
        return process

    def _keep_refining(self) -> None:
        """Run the pipeline that goes on; kill it in between, and tell the last one to stop."""
        while not self._over.is_set():
            self._count("pipelines")
            process = self._pipeline("--continuous")
            if self._over.wait(self.seconds / 2):
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=300)
            else:
                self._count("pipelines killed")
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _refine(self) -> None:
        code = self._pipeline("--datasets", "index_prices").wait(timeout=900)
        if code:
            raise SystemExit(f"the last pass of the pipeline ended with exit code {code}")

    def _pipeline(self, *words: str) -> subprocess.Popen[bytes]:
        return self._started([sys.executable, "-m", "jobs.pipeline", *words])

    def _started(self, command: Sequence[str], *sets: str) -> subprocess.Popen[bytes]:
        options = [f"lake.root={self.lake}", *sets, *self._addresses]
        words = [word for one in options for word in ("--set", one)]
        log = (self.lake.parent / "soak.log").open("ab")
        with log:
            return subprocess.Popen(
                [*command, *words],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _compare(self) -> None:
        found, due = list(self._in_silver()), recording()
        by_place: Mapping[tuple[str, int], Trade] = {trade[:2]: trade for trade in found}
        report = self.report
        report.recorded, report.in_silver = len(due), len(found)
        report.missing = len(due.keys() - by_place.keys())
        report.beyond = len(found) - len(by_place) + len(by_place.keys() - due.keys())
        report.differing = sum(by_place[place] != due[place] for place in due.keys() & by_place)
        report.open_holes = len(self._rows("select * from ops.continuity where state = 'open'"))

    def _in_silver(self) -> Iterator[Trade]:
        statement = (
            "select instrument, trade_seq, cast(price as string) price,"
            " cast(quantity as string) quantity, unix_millis(trade_timestamp) at, taker_side"
            " from silver.trades"
        )
        for row in self._rows(statement):
            numbers = (plain(row["price"]), plain(row["quantity"]))
            seq, at = int(row["trade_seq"]), int(row["at"])
            yield (row["instrument"], seq, *numbers, at, row["taker_side"])

    def _rows(self, statement: str) -> list[dict[str, Any]]:
        words = ["-m", "jobs.sql", statement, "--format", "json"]
        done = subprocess.run(
            [sys.executable, *words, "--set", f"lake.root={self.lake}"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=600,
        )
        return [json.loads(line, parse_float=str) for line in done.stdout.splitlines()]

    def _count(self, event: str) -> None:
        self.report.events[event] = self.report.events.get(event, 0) + 1


def recording() -> dict[tuple[str, int], Trade]:
    """Return the recorded trades by instrument and id."""
    text = recordings.read_bytes(recordings.DIRECTORY, recordings.BTC_TRADES).decode()
    return {
        (instrument, int(str(row["id"]))): (
            instrument,
            int(str(row["id"])),
            plain(str(row["price"])),
            plain(str(row["qty"])),
            int(str(row["time"])),
            "sell" if row["isBuyerMaker"] else "buy",
        )
        for instrument in INSTRUMENTS
        for row in recorded_trades(text, instrument)
    }


def plain(number: str) -> str:
    """Return a decimal text without the zeros at its end."""
    return f"{Decimal(number).normalize():f}"


def main() -> int:
    """Run the soak of the command line; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="candlelake-soak-") as folder:
        began = time.monotonic()
        report = Soak(Path(folder) / "lake", given.minutes, given.seed).run()
        seconds = round(time.monotonic() - began)
    print(json.dumps({**asdict(report), "sound": report.is_sound, "seconds": seconds}))
    return 0 if report.is_sound else 1


if __name__ == "__main__":
    sys.exit(main())
