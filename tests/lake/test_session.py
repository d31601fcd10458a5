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
    environment = {
        **{name: value for name, value in os.environ.items() if "PYSPARK_GATEWAY" not in name},
        "PYTHONPATH": str(ROOT),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    if not list((ROOT / ".jars" / "jars").glob("*.jar")):
        pytest.skip("the jars of Delta are not here: run ./run-tests.sh")
    jars = ",".join(map(str, (ROOT / ".jars" / "jars").glob("*.jar")))
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "spark-submit"),
            *("--master", "local[1]"),
            *("--conf", "spark.sql.shuffle.partitions=3"),
            *("--properties-file", str(ROOT / "conf" / "spark-defaults.conf")),
            *("--jars", jars),
            str(job),
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )

    assert done.stdout.splitlines() == ["told local[1] 3 UTC true"], done.stderr[-2000:]
