"""The whole way through the front door: one command, a second one, and one that is killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WINDOW = ("--start", "2024-01-01T00:00:00Z", "--end", "2024-01-01T02:00:00Z")
ENVIRONMENT = {**os.environ, "CANDLELAKE_REQUIREMENTS": "dev", "MASTER": "", "SPARK_MASTER": ""}
#: What may differ between two runs of the same work: our own process's times and names.
OWN = {"run_id", "end_download_timestamp", "knowledge_timestamp", "revision", "quarantined_at"}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def command(lake: Path, job: str, *options: str) -> list[str]:
    return [str(ROOT / "spark-submit.sh"), job, *options, "--set", f"lake.root={lake}"]


def run(lake: Path, job: str, *options: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command(lake, job, *options),
        capture_output=True,
        text=True,
        env={key: value for key, value in ENVIRONMENT.items() if value},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def rows(lake: Path, table: str) -> Sequence[str]:
    """The table's current rows without what is our own process's, sorted."""
    answer = run(lake, "sql", f"select * from {table}", "--format", "json").stdout  # noqa: S608
    kept = []
    for line in answer.splitlines():
        record = {key: value for key, value in json.loads(line).items() if key not in OWN}
        kept.append(json.dumps(record, sort_keys=True))
    return sorted(kept)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A lake made by one run that nothing disturbed, and what the run printed."""
    lake = tmp_path_factory.mktemp("undisturbed")
    return lake, run(lake, "pipeline", *WINDOW).stdout


def test_candles_equal_the_exchanges_own_in_all_nine_fields(
    undisturbed: tuple[Path, str],
) -> None:
    certificate = undisturbed[1]

    assert "certificate 2024-01-01T00:00Z to 2024-01-01T02:00Z" in certificate
    assert "binance spot BTCUSDT 1h: 18 fields compared, 18 equal," in certificate
    assert "0 unexplained: 100.00 %" in certificate


def test_the_gap_free_candles_answer_sql(undisturbed: tuple[Path, str]) -> None:
    statement = (
        "select bar_interval, count(*) as bars, count_if(is_filled) as filled"
        " from gold.ohlcv_filled where bar_interval in ('1m', '1h') group by 1 order by 1"
    )

    answer = run(undisturbed[0], "sql", statement, "--format", "csv").stdout

    assert answer.splitlines() == ["bar_interval,bars,filled", "1h,2,0", "1m,120,0"]


def test_a_second_run_adds_nothing(undisturbed: tuple[Path, str]) -> None:
    lake = undisturbed[0]
    files = sorted(path for path in (lake / "bronze").rglob("*") if path.is_file())
    tables = ("silver", "gold")
    commits = {t: len(list((lake / t).rglob("_delta_log/*.json"))) for t in tables}

    again = run(lake, "pipeline", *WINDOW)

    assert again.stdout == undisturbed[1]
    assert sorted(path for path in (lake / "bronze").rglob("*") if path.is_file()) == files
    assert {t: len(list((lake / t).rglob("_delta_log/*.json"))) for t in tables} == commits


def test_a_run_killed_at_a_random_point_is_mended_by_the_next(
    undisturbed: tuple[Path, str], tmp_path: Path
) -> None:
    lake, chance = tmp_path / "killed", random.Random(20240101)  # noqa: S311

    for _ in range(2):
        victim = subprocess.Popen(
            command(lake, "pipeline", *WINDOW),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={key: value for key, value in ENVIRONMENT.items() if value},
            start_new_session=True,
        )
        time.sleep(chance.uniform(15, 45))
        os.killpg(victim.pid, signal.SIGKILL)
        victim.wait()
    run(lake, "pipeline", *WINDOW)

    for table in ("silver.agg_trades", "silver.klines", "silver.instruments", "gold.ohlcv"):
        assert rows(lake, table) == rows(undisturbed[0], table), table
