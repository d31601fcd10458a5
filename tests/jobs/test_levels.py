"""What is promised of the data: counted from the ledger, judged, and told to Prometheus."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs import gold, silver
from jobs.levels.judged import missed
from jobs.levels.measured import Cost, Measured, Series, measure
from jobs.levels.printing import as_json, put_metrics
from lake.sections_of_keeping import Levels
from lake.settings import load_settings
from lake.tables import OPS_RUNS
from tests.jobs.conftest import OpenLake
from tests.jobs.landed import MIDNIGHT, aggregate, know, land

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus"
NOW = datetime(2024, 1, 1, 12, tzinfo=UTC)
BTC = ("binance", "spot", "BTCUSDT")
FRESH = Series("candles", BTC, NOW - timedelta(seconds=60), 1.0, is_over=False)
CHEAP = Cost("trades", 10, 200, 20_000_000, 1000)


def promised() -> Levels:
    return load_settings("local").levels


def found(series: Series = FRESH, cost: Cost = CHEAP, seconds: float | None = 10.0) -> Measured:
    return Measured(NOW, (series,), (cost,), seconds)


def failures(measured: Measured) -> list[str]:
    return [f"{one.of}: {one.promise}" for one in missed(measured, promised())]


def test_what_is_kept_is_not_told_of() -> None:
    assert failures(found()) == []
    assert failures(found(seconds=None)) == []


@pytest.mark.parametrize(
    ("measured", "told"),
    [
        (
            found(replace(FRESH, complete_until=NOW - timedelta(seconds=901))),
            ["candles binance spot BTCUSDT: fresh"],
        ),
        (found(replace(FRESH, complete_until=NOW - timedelta(seconds=900))), []),
        (found(replace(FRESH, complete_until=None)), ["candles binance spot BTCUSDT: fresh"]),
        (found(replace(FRESH, complete_until=None, is_over=True)), []),
        (
            found(replace(FRESH, complete_share=0.9989)),
            ["candles binance spot BTCUSDT: complete"],
        ),
        (found(replace(FRESH, complete_share=None)), []),
        (
            found(cost=replace(CHEAP, bytes_per_million_rows=40_000_001)),
            ["trades: bytes a million rows"],
        ),
        (
            found(cost=replace(CHEAP, requests_per_million_rows=2001)),
            ["trades: requests a million rows"],
        ),
        (found(seconds=121.0), ["pipeline: seconds a million rows"]),
    ],
)
def test_each_promise_that_is_not_kept_is_named(measured: Measured, told: list[str]) -> None:
    assert failures(measured) == told


def test_the_metrics_are_what_the_alerts_ask_for(tmp_path: Path) -> None:
    path = tmp_path / "levels.prom"
    odd = replace(FRESH, listing=("binance", "spot", 'A"B\\C'))
    put_metrics(path, found(odd), promised(), missed(found(odd), promised()))

    text = path.read_text(encoding="utf-8")
    asked = set(re.findall(r"candlelake_[a-z_]+", (RULES / "level-alerts.yml").read_text()))
    assert asked <= {line.split("{")[0].split()[0] for line in text.splitlines()}
    assert 'instrument="A\\"B\\\\C"} 1704110340.0' in text
    assert "candlelake_level_costs_missed 0" in text
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.spark
@pytest.mark.slow
def test_a_lake_is_counted(open_lake: OpenLake) -> None:
    context = open_lake()
    know(context, {"instrument": "BTCUSDT"}, {"instrument": "GONE", "delisted_at": NOW})
    for instrument, first, last in (("BTCUSDT", 1, 3), ("BTCUSDT", 7, 8), ("GONE", 1, 3)):
        rows = [aggregate(one, T=str(MIDNIGHT + one * 10_000)) for one in range(first, last + 1)]
        times = (MIDNIGHT + first * 10_000, MIDNIGHT + last * 10_000 + 1)
        land(context, instrument, [f"[{','.join(rows)}]"], ids=(first, last), times=times)
    silver.consume(context, "agg_trades")
    gold.follow(context)

    counted = measure(context, 0)

    series = {(one.dataset, one.listing[2]): one for one in counted.series}
    assert set(series) == {
        (dataset, name) for dataset in ("agg_trades", "candles") for name in ("BTCUSDT", "GONE")
    }
    assert series["agg_trades", "BTCUSDT"].complete_share == 5 / 8
    assert series["agg_trades", "GONE"].complete_share == 1
    assert (series["candles", "GONE"].is_over, series["candles", "BTCUSDT"].is_over) == (
        True,
        False,
    )
    candles = series["candles", "BTCUSDT"]
    assert candles.complete_share is not None
    assert candles.complete_share < 1
    assert candles.complete_until is not None
    assert f"{candles.complete_until:%H:%M}" in ("00:00", "00:01")
    costs = {one.dataset: one for one in counted.costs}
    assert (costs["agg_trades"].rows, costs["trades"].rows) == (8, 0)
    assert costs["agg_trades"].requests_per_million_rows == pytest.approx(
        3 / 8 * 1_000_000, rel=0.1
    )
    assert costs["trades"].bytes_per_million_rows is None
    assert counted.run_seconds_per_million_rows == 0
    assert measure(context, 7).costs[1].requests_per_million_rows is None
    told = json.loads(as_json(counted, missed(counted, promised())))
    assert not any("agg_trades binance spot GONE" in line for line in told["missed"])
    assert any("agg_trades binance spot BTCUSDT: complete" in line for line in told["missed"])
    assert context.tables.read(OPS_RUNS).count() == 0
