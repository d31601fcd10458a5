"""Compares silver with the recording, trade for trade, and looks through the ledger."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bench.soak.processes import ROOT, SoakError
from bench.soak.storage import Storage
from extract.replay import recordings
from extract.replay.trade_tape import recorded_trades

INSTRUMENTS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
PATIENCE_SECONDS = 600
Trade = tuple[str, int, str, str, int, str]


@dataclass
class Report:
    """What a soak came to.

    Attributes:
        recorded, in_silver: how many trades.
        missing, beyond, doubled, differing: trades that silver has not, that were never recorded,
            that it has twice, and that differ in price, quantity, time or side.
        open_holes: of the ledger.
        regions: trades of silver by the region whose collector brought them first.
        events: what happened, and how often or how long.
        gold_seconds: from a minute's end, by the exchange's clock, until gold was complete.
    """

    recorded: int = 0
    in_silver: int = 0
    missing: int = 0
    beyond: int = 0
    doubled: int = 0
    differing: int = 0
    open_holes: int = 0
    regions: dict[str, int] = field(default_factory=dict)
    events: dict[str, float] = field(default_factory=dict)
    gold_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def is_sound(self) -> bool:
        """Whether silver is the recording, and the ledger has no open hole."""
        wrong = self.missing + self.beyond + self.doubled + self.differing + self.open_holes
        return self.recorded > 0 and wrong == 0


def compare(storage: Storage, report: Report) -> None:
    """Fill in what silver and the ledger hold against the recording."""
    rows = list(_in_silver(storage))
    found, due = [trade for trade, _ in rows], recording()
    by_place: Mapping[tuple[str, int], Trade] = {trade[:2]: trade for trade in found}
    report.recorded, report.in_silver = len(due), len(found)
    report.missing = len(due.keys() - by_place.keys())
    report.beyond = len(by_place.keys() - due.keys())
    report.doubled = len(found) - len(by_place)
    report.differing = sum(by_place[place] != due[place] for place in due.keys() & by_place)
    for _, region in rows:
        report.regions[region] = report.regions.get(region, 0) + 1
    report.open_holes = len(
        _rows(storage, "select * from ops.continuity where entry = 'hole' and state = 'open'")
    )


def seconds_told(found: list[float]) -> dict[str, float]:
    """Return how many, the median and the longest; nothing where nothing was seen."""
    if not found:
        return {}
    middle, longest = round(statistics.median(found), 1), round(max(found), 1)
    return {"minutes": len(found), "median": middle, "longest": longest}


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


def _in_silver(storage: Storage) -> Iterator[tuple[Trade, str]]:
    statement = (
        "select instrument, trade_seq, cast(price as string) price,"
        " cast(quantity as string) quantity, unix_millis(trade_timestamp) at, taker_side, region"
        " from silver.trades"
    )
    for row in _rows(storage, statement):
        numbers = (plain(row["price"]), plain(row["quantity"]))
        seq, at = int(row["trade_seq"]), int(row["at"])
        yield (row["instrument"], seq, *numbers, at, row["taker_side"]), row["region"]


def _rows(storage: Storage, statement: str) -> list[dict[str, Any]]:
    words = ["-m", "jobs.sql", statement, "--format", "json", "--set", f"lake.root={storage.root}"]
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, **storage.environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise SoakError(f"silver can't be read: {said[-1]}")
    return [json.loads(line, parse_float=str) for line in done.stdout.splitlines()]
