"""A whole pipeline out of the artefact alone, submitted as EMR Serverless submits it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from deltalake import DeltaTable

from deploy.aws.run_job import words_of
from extract.replay.exchange import ReplayExchange
from tests.aws.templates import ROOT
from tests.package.test_artefact import packed

pytestmark = [pytest.mark.spark, pytest.mark.slow]

WINDOW = ("--start", "2024-08-08T23:56:00Z", "--end", "2024-08-09T00:00:00Z")
#: Stands in front of the job and says where its code comes from.
WHENCE = "import lake, sys; print('code', lake.__file__, file=sys.stderr)\n"


def jars() -> str:
    return ",".join(str(path) for path in sorted((ROOT / ".jars" / "jars").glob("*.jar")))


def test_a_pipeline_runs_out_of_the_zip_and_nothing_of_the_checkout(tmp_path: Path) -> None:
    artefact = packed(ROOT, tmp_path / "artefact")
    script = artefact / "run_job.py"
    script.write_text(
        script.read_text(encoding="utf-8").replace("import runpy\n", f"import runpy\n{WHENCE}")
    )
    lake = tmp_path / "lake"
    with ReplayExchange() as exchange:
        urls = [
            word for one in exchange.urls.settings().items() for word in ("--set", "=".join(one))
        ]
        done = subprocess.run(
            [
                str(Path(sys.executable).parent / "spark-submit"),
                *("--master", "local[2]", "--driver-memory", "2g"),
                *("--py-files", str(artefact / "candlelake.zip"), "--jars", jars()),
                str(script),
                *("pipeline", "--env", "local", "--exchange", "binance", "--kind", "usdm"),
                *("--instruments", "BTCUSDT", *WINDOW, "--set", f"lake.root={lake}", *urls),
            ],
            cwd=tmp_path,
            env=without_checkout(),
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
        )

    assert done.returncode == 0, done.stderr[-4000:]
    assert "candlelake.zip/lake/__init__.py" in done.stderr
    assert "0 different, 0 unexplained" in done.stdout
    assert DeltaTable(str(lake / "gold" / "ohlcv")).to_pyarrow_table().num_rows > 0


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
