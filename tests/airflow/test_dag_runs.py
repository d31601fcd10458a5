"""Whole DAGs, run by Airflow against the replay exchange, and what is in the lake afterwards."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from deltalake import DeltaTable

from tests.airflow.airflow_here import Airflow, Done
from tests.airflow.webhook import webhook
from tests.front_door.commands import candlelake

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(2400)]

#: What an hour of the bundled day's bars is wrong by once it has been tampered with.
VOLUME, FALSE_VOLUME = '\\"1271.68108000\\"', '\\"1271.68108001\\"'
HOUR = {"start": "2024-01-01T00:00:00Z", "end": "2024-01-01T01:00:00Z"}
BTCUSDT = {"kind": "spot", "instruments": "BTCUSDT"}


def on(home: Path, lake: Path, **variables: str) -> Airflow:
    """Return an Airflow whose DAGs fill this lake."""
    return Airflow(home, {"sets": {"lake.root": str(lake)}}, variables)


def certificates(lake: Path) -> list[tuple[str, str, int]]:
    """Return of each certificate the instrument, the interval, and what is unexplained."""
    table = DeltaTable(lake / "ops" / "reconciliation").to_pyarrow_table()
    names = ("instrument", "bar_interval", "unexplained")
    return [tuple(row[name] for name in names) for row in table.to_pylist()]


def ran(done: Done, *tasks: str) -> None:
    """Require that a run succeeded, and these tasks in it."""
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    for task in tasks:
        assert re.search(rf"end task\b.*task_id={task}\b", done.stdout + done.stderr), task


def test_a_back_fill_loads_its_window_and_ends_with_the_check(home: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"

    done = on(home, lake).test_run(
        "candlelake_back_fill_binance", "2026-11-29T00:00:00+00:00", **HOUR, **BTCUSDT
    )

    ran(done, "plan", "extract", "refine", "check")
    assert certificates(lake) == [("BTCUSDT", "1h", 0)]


def tampered(lake: Path) -> None:
    """Let bronze hold another volume of the first hour than the exchange has published."""
    window = ("--start", HOUR["start"], "--end", HOUR["end"])
    done = candlelake("extract", "--datasets", "klines", *window, "--set", f"lake.root={lake}")
    assert done.returncode == 0, done.stderr
    (path,) = (lake / "bronze" / "klines").rglob("*.gz")
    text = gzip.decompress(path.read_bytes()).decode()
    assert text.count(VOLUME) == 1
    path.write_bytes(gzip.compress(text.replace(VOLUME, FALSE_VOLUME).encode()))


def test_a_check_that_fails_ends_the_run_at_once_says_where_and_tells_the_webhook(
    home: Path, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    tampered(lake)

    with webhook() as (address, taken):
        airflow = on(home, lake, AIRFLOW_VAR_CANDLELAKE_WEBHOOK_SECRET=address)
        done = airflow.test_run(
            "candlelake_back_fill_binance", "2026-11-28T00:00:00+00:00", **HOUR, **BTCUSDT
        )

    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "DagRun failed" in said
    (told,) = taken
    assert (told["dag"], told["task"]) == ("candlelake_back_fill_binance", "check")
    assert told["reason"].startswith(
        "a gate stopped the run (exit code 3): 1 differences are unexplained [ops.reconciliation]."
    )
    (page,) = re.findall(r"its page: (\S+report\.html)", told["reason"])
    text = Path(page).read_text(encoding="utf-8")
    assert "1 difference is unexplained: candle 1704067200000 of BTCUSDT, volume" in text
    assert told["reason"] in said
