"""A real job out of the artefact alone, submitted as EMR Serverless submits it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from deploy.aws.run_job import words_of
from lake.tables import (
    GOLD_OHLCV,
    OPS_CONTINUITY,
    OPS_RUNS,
    OPS_WATERMARKS,
    SILVER_AGG_TRADES,
)
from tests.aws.templates import ROOT
from tests.package.test_artefact import packed
from tests.serve_files.small_lake import LOADED, small_lake, written

pytestmark = [pytest.mark.spark, pytest.mark.slow]

#: Stands in front of the job and says where its code comes from.
WHENCE = "import lake; print('code', lake.__file__, flush=True)\n"


def jars() -> str:
    return ",".join(str(path) for path in sorted((ROOT / ".jars" / "jars").glob("*.jar")))


def test_a_job_runs_out_of_the_zip_and_nothing_of_the_checkout(tmp_path: Path) -> None:
    artefact = packed(ROOT, tmp_path / "artefact")
    begin_with(artefact, WHENCE)
    small_lake(tmp_path / "lake")
    query = "select bar_start, close from gold.ohlcv where close is not null order by 1 limit 2"

    done = submitted(
        artefact,
        tmp_path,
        *("sql", query, "--format", "csv", "--set", f"lake.root={tmp_path / 'lake'}"),
    )

    assert done.returncode == 0, done.stderr[-4000:]
    # spark-submit gives what a script says before its job to one stream
    whence, header, first, *_ = done.stdout.splitlines()
    assert whence.endswith("candlelake.zip/lake/__init__.py")
    assert header == "bar_start,close"
    assert first.startswith("2024-01-31T23:58:00.000000Z,")


def test_a_promise_that_is_not_kept_fails_the_run(tmp_path: Path) -> None:
    """What the state machine of AWS hears, and so the alarm: the exit code of spark-submit."""
    artefact = packed(ROOT, tmp_path / "artefact")
    lake = tmp_path / "lake"
    small_lake(lake)
    mark = {"exchange": "binance", "kind": "spot", "instrument": "BTCUSDT", "updated_at": LOADED}
    mark |= {"table_name": GOLD_OHLCV.name, "complete_until": LOADED}
    written(lake, OPS_WATERMARKS, [mark])
    for table in (OPS_CONTINUITY, OPS_RUNS, SILVER_AGG_TRADES):
        written(lake, table, [])
    promises = ("candles.fresh_seconds=60", "candles.complete_share=0")

    done = submitted(
        artefact,
        tmp_path,
        *("candlelake", "levels", "--set", f"lake.root={lake}"),
        *(word for one in promises for word in ("--set", f"levels.{one}")),
    )

    assert done.returncode == 1, done.stderr[-4000:]
    assert "candles binance spot BTCUSDT: fresh: complete until 2026-01-01" in done.stderr
    assert "Traceback" not in done.stderr


def begin_with(artefact: Path, line: str) -> None:
    """Let what is submitted run a line before its job."""
    script = artefact / "run_job.py"
    text = script.read_text(encoding="utf-8").replace("import runpy\n", f"import runpy\n{line}")
    script.write_text(text, encoding="utf-8")


def submitted(
    artefact: Path,
    folder: Path,
    *words: str,
    master: str = "local[1]",
    options: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Submit a job of the artefact, with nothing of the checkout at hand."""
    return subprocess.run(
        [
            str(Path(sys.executable).parent / "spark-submit"),
            *("--master", master, "--driver-memory", "1g", "--executor-memory", "1g"),
            *("--py-files", str(artefact / "candlelake.zip"), "--jars", jars()),
            *(*options, str(artefact / "run_job.py"), *words),
        ],
        cwd=folder,
        env={**without_checkout(), **(variables or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=800,
    )


def without_checkout() -> dict[str, str]:
    given = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CANDLELAKE_") and name != "PYTHONPATH"
    }
    return {**given, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}


def test_glues_arguments_become_a_jobs_words() -> None:
    given = ["--JOB_NAME", "x", "--command", "reconcile --check daily", "--at", "2026-11-29"]

    assert words_of(given) == ["reconcile", "--check", "daily", "--at", "2026-11-29"]
    assert words_of(["pipeline", "--env", "aws"]) == ["pipeline", "--env", "aws"]
    with pytest.raises(SystemExit, match="name a job"):
        words_of([])
