"""DAGs that a schedule starts, run by Airflow: daily load, check of ten minutes, maintenance."""

from __future__ import annotations

from pathlib import Path

import pytest
from deltalake import DeltaTable

from lake.tables import SILVER_TRADES
from tests.airflow.airflow_here import Airflow
from tests.airflow.test_dag_runs import on, ran
from tests.front_door.commands import candlelake, pointed_at
from tests.live.conftest import HURRIED
from tests.live.running_exchange import RECORDED, live
from tests.serve_files.small_lake import START, small_lake, trade, written

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(2400)]


def test_the_daily_load_brings_the_bundled_day_to_certified_candles(
    home: Path, tmp_path: Path
) -> None:
    done = on(home, tmp_path / "lake").test_run(
        "candlelake_daily_load", "2024-01-02T00:20:00+00:00"
    )

    ran(done, "extract_binance", "refine", "certify")
    assert "216 fields compared, 216 equal" in done.stdout + done.stderr


def test_what_the_collectors_streamed_is_reconciled_each_ten_minutes(
    home: Path, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    with live(RECORDED, speed=2) as exchange:
        sets = dict(word.split("=", 1) for word in [*pointed_at(exchange)[1::2], *HURRIED])
        sets |= {"universe.binance.spot": "SOLUSDT", "lake.root": str(lake)}
        airflow = Airflow(home, {"sets": sets})
        ran(
            airflow.test_run(
                "candlelake_live", "2025-03-25T23:00:00+00:00", lifetime="95s", overlap="2s"
            ),
            "collect_binance",
        )
        # the units of its rows come from silver
        words = [word for name, value in sets.items() for word in ("--set", f"{name}={value}")]
        refined = candlelake("repair", *words, patience_seconds=900)
        assert refined.returncode == 0, refined.stderr

        ran(
            airflow.test_run("candlelake_reconcile_stream", "2025-03-25T23:19:00+00:00"),
            "reconcile_binance",
        )

    table = DeltaTable(lake / "ops" / "reconciliation").to_pyarrow_table().to_pylist()
    (trades,) = [row for row in table if row["dataset"] == "trades"]
    assert trades["left_rows"] > 0
    assert (trades["matched"], trades["unexplained"]) == (trades["left_rows"], 0)


def test_the_small_files_of_the_week_before_become_one(home: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    small_lake(lake)
    written(lake, SILVER_TRADES, [trade(6, 7, "42283.5")])
    day = f"year = {START.year} AND month = {START.month} AND day = {START.day}"
    table = DeltaTable(lake / SILVER_TRADES.path)
    assert len(table.file_uris(file_pruning_predicate=day)) == 2
    before = sorted(row["trade_seq"] for row in table.to_pyarrow_table().to_pylist())

    done = on(home, lake).test_run("candlelake_maintenance", "2024-02-03T02:10:00+00:00")

    ran(done, "maintain")
    table = DeltaTable(lake / SILVER_TRADES.path)
    assert len(table.file_uris(file_pruning_predicate=day)) == 1
    assert sorted(row["trade_seq"] for row in table.to_pyarrow_table().to_pylist()) == before
    assert "OPTIMIZE" in {one["operation"] for one in table.history()}
