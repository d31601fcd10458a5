"""Bars that the exchange published off its own grid or cut short: loaded as they are, and named."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from jobs.context import Context
from lake.tables import GOLD_OHLCV, OPS_QUARANTINE, SILVER_KLINES
from tests.jobs.conftest import OpenLake
from tests.jobs.landed import held
from tests.jobs.running import run

pytestmark = [pytest.mark.spark, pytest.mark.slow]

RECORDINGS = Path(__file__).resolve().parents[2] / "recordings"
#: What silver keeps of a bar, in the order of the recording's columns but its two times.
FIELDS = (
    *("open", "high", "low", "close", "volume_sent", "quote_volume_sent", "trade_count"),
    *("taker_buy_volume_sent", "taker_buy_quote_volume_sent"),
)
Bars = Mapping[datetime, Sequence[Decimal]]


def recorded(name: str, start: str, end: str) -> Bars:
    """The recorded bars that open in the window."""
    with gzip.open(RECORDINGS / name, "rt", encoding="utf-8") as file:
        rows = list(csv.reader(line for line in file if not line.startswith("#")))
    return {
        datetime.fromisoformat(bar[0]).replace(tzinfo=UTC): [*map(Decimal, bar[1:6] + bar[7:])]
        for bar in rows[1:]
        if start <= bar[0] < end
    }


def loaded(context: Context) -> Bars:
    return {
        row["open_time"].replace(tzinfo=UTC): [Decimal(row[name]) for name in FIELDS]
        for row in held(context, SILVER_KLINES)
    }


def found(context: Context, finding: str) -> list[str]:
    """When the bars with a finding open, hour and minute and second."""
    rows = held(context, SILVER_KLINES, f"array_contains(findings, '{finding}')")
    return sorted(f"{row['open_time']:%dT%H:%M:%S}" for row in rows)


def certified(context: Context, start: str, end: str) -> str:
    of = {"exchange": "binance", "kind": "spot", "instruments": "BTCUSDT"}
    return run(context, **of, start=start, end=end, datasets="klines")


def test_bars_off_the_grid_load_as_published_and_are_named(open_lake: OpenLake) -> None:
    context = open_lake("extract.bar_interval=1h")

    certificate = certified(context, "2018-02-08", "2018-02-10")

    bars = recorded("BTCUSDT-1h-klines-2017-08-17_2024-01-01.csv.gz", "2018-02-08", "2018-02-10")
    assert loaded(context) == bars
    assert held(context, OPS_QUARANTINE) == []
    assert held(context, GOLD_OHLCV) == []
    off_grid = [f"09T{hour:02}:28:14" for hour in range(9, 24)]
    assert found(context, "off_grid") == off_grid
    assert found(context, "cut_short") == ["08T00:00:00"]
    assert "BTCUSDT 1h: 0 fields compared" in certificate
    assert "Causes: cut_short 1, off_grid 15" in certificate
    assert "2018-02-09T09:28:14Z bar: ours None, theirs present (off_grid)" in certificate


def test_a_halt_loads_as_published_and_is_named(open_lake: OpenLake) -> None:
    context = open_lake("extract.bar_interval=5m")

    certificate = certified(context, "2023-03-24", "2023-03-25")

    bars = recorded("BTCUSDT-5m-klines-2023-03-23_2023-03-25.csv.gz", "2023-03-24", "2023-03-25")
    assert loaded(context) == bars
    during = [opened for opened in bars if (12, 40) <= (opened.hour, opened.minute) < (14, 0)]
    assert during == []
    assert found(context, "cut_short") == ["24T12:35:00"]
    assert held(context, GOLD_OHLCV) == []
    assert "Causes: cut_short 1" in certificate
    assert "2023-03-24T12:35:00Z bar: ours None, theirs present (cut_short)" in certificate
