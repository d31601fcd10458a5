"""What every test may lean on: one Spark session a process, in UTC, small and as in production."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

ROOT = Path(__file__).parents[1]
#: Those of Kafka where they have been fetched: a session takes no more jars once it runs.
JARS = [jar for group in ("jars", "jars-kafka") for jar in (ROOT / ".jars" / group).glob("*.jar")]
DELTA = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.databricks.delta.snapshotPartitions": "1",
}
SMALL = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
    "spark.driver.memory": "2g",
    # a test's code runs once: it is compiled quickly, not well; the quick compiler's own cache of
    # 48 MB is full after a few tests, and everything is interpreted from then on
    "spark.driver.extraJavaOptions": (
        "-Ddelta.log.cacheSize=3 -Duser.timezone=UTC"
        " -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=512m"
    ),
    "spark.ui.enabled": "false",
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.sql.catalogImplementation": "in-memory",
}

# a shell's background job starts with ^C ignored, and so would every command that a test interrupts
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """One session for the whole run; Delta is in it where its jars have been fetched."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.Builder().master("local[2]").appName("tests")
    builder = builder.config(
        map={**SMALL, "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse"))}
    )
    if JARS:
        builder = builder.config(map={**DELTA, "spark.jars": ",".join(map(str, JARS))})
    session = builder.getOrCreate()
    yield session
    session.stop()


@pytest.fixture(scope="session")
def bundled_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first two hours of the bundled day, brought through the front door once; to be read only.

    READY_LAKE names one that is there already.
    """
    ready = os.environ.get("READY_LAKE")
    if ready:
        return Path(ready).resolve()
    lake = tmp_path_factory.mktemp("bundled") / "lake"
    window = ("--start", "2024-01-01T00:00:00Z", "--end", "2024-01-01T02:00:00Z")
    done = subprocess.run(
        [str(ROOT / "spark-submit.sh"), "pipeline", *window, "--set", f"lake.root={lake}"],
        env={**os.environ, "CANDLELAKE_REQUIREMENTS": "dev"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return lake
