"""The session: what spark-submit was told stands above our own defaults."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
JOB = """
from lake.session import build_session
from lake.settings import load_settings
spark = build_session(load_settings("replay", environ={}), "told")
names = ("spark.sql.shuffle.partitions", "spark.sql.session.timeZone", "spark.sql.ansi.enabled")
print("told", spark.sparkContext.master, *(spark.conf.get(name) for name in names))
spark.stop()
"""


@pytest.mark.spark
@pytest.mark.slow
def test_the_master_and_settings_of_spark_submit_are_kept(tmp_path: Path) -> None:
    job = tmp_path / "job.py"
    job.write_text(JOB, encoding="utf-8")
    done = started(
        *(str(Path(sys.executable).parent / "spark-submit"), "--master", "local[1]"),
        *("--conf", "spark.sql.shuffle.partitions=3"),
        *("--properties-file", str(ROOT / "conf" / "spark-defaults.conf")),
        *("--jars", jars(), str(job)),
    )

    assert done.stdout.splitlines() == ["told local[1] 3 UTC true"], done.stderr[-2000:]


@pytest.mark.spark
@pytest.mark.slow
def test_python_by_itself_has_the_same_and_a_log_of_ours(tmp_path: Path) -> None:
    job = tmp_path / "job.py"
    zone = "print(spark._jvm.java.util.TimeZone.getDefault().getID())\nspark.stop()"
    job.write_text(JOB.replace("spark.stop()", zone), encoding="utf-8")
    jars()

    done = started(sys.executable, str(job), TZ="America/New_York")

    assert done.stdout.splitlines() == ["told local[*] 8 UTC true", "UTC"], done.stderr[-2000:]
    # Java says of itself what no setting silences; Spark says nothing
    assert [line for line in done.stderr.splitlines() if "incubator modules" not in line] == []


def jars() -> str:
    found = list((ROOT / ".jars" / "jars").glob("*.jar"))
    if not found:
        pytest.skip("the jars of Delta are not here: run ./run-tests.sh")
    return ",".join(map(str, found))


def started(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **{name: value for name, value in os.environ.items() if "PYSPARK_GATEWAY" not in name},
        "PYTHONPATH": str(ROOT),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        **variables,
    }
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=500
    )
