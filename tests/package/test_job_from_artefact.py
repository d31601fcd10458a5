"""A real job out of the artefact alone, submitted as EMR Serverless submits it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.aws.run_job import words_of
from tests.aws.templates import ROOT
from tests.package.test_artefact import packed
from tests.serve_files.small_lake import small_lake

pytestmark = [pytest.mark.spark, pytest.mark.slow]

#: Stands in front of the job and says where its code comes from.
WHENCE = "import lake; print('code', lake.__file__, flush=True)\n"


def jars() -> str:
    return ",".join(str(path) for path in sorted((ROOT / ".jars" / "jars").glob("*.jar")))


def test_a_job_runs_out_of_the_zip_and_nothing_of_the_checkout(tmp_path: Path) -> None:
    artefact = packed(ROOT, tmp_path / "artefact")
    script = artefact / "run_job.py"
    text = script.read_text(encoding="utf-8").replace("import runpy\n", f"import runpy\n{WHENCE}")
    script.write_text(text, encoding="utf-8")
    small_lake(tmp_path / "lake")
    query = "select bar_start, close from gold.ohlcv where close is not null order by 1 limit 2"

    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "spark-submit"),
            *("--master", "local[1]", "--driver-memory", "1g"),
            *("--py-files", str(artefact / "candlelake.zip"), "--jars", jars()),
            str(script),
            *("sql", query, "--format", "csv", "--set", f"lake.root={tmp_path / 'lake'}"),
        ],
        cwd=tmp_path,
        env=without_checkout(),
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )

    assert done.returncode == 0, done.stderr[-4000:]
    # spark-submit gives what a script says before its job to one stream
    whence, header, first, *_ = done.stdout.splitlines()
    assert whence.endswith("candlelake.zip/lake/__init__.py")
    assert header == "bar_start,close"
    assert first.startswith("2024-01-31T23:58:00.000000Z,")


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
