"""The one way to a Spark session: conf/spark-defaults.conf, whatever started Python."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from lake.errors import SettingsError
from lake.objects import is_s3
from lake.settings import Settings, conf_folder

CREDENTIALS = "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider"
#: deploy/log_store/: a version of a table is created only where nobody else has.
CONDITIONAL_COMMITS = {"spark.delta.logStore.s3a.impl": "candlelake.ConditionalLogStore"}
CHECKPOINTS_IN_S3 = "org.apache.spark.internal.io.cloud.AbortableStreamBasedCheckpointFileManager"


def build_session(
    settings: Settings, name: str, *, master: str = "local[*]", jars: Sequence[str] = ()
) -> SparkSession:
    """Return the session of this process, made with our defaults where there is none.

    Under spark-submit the properties are set already; a notebook or a test gets the same ones.
    `master`, and the groups of `jars` beside those of every run, count only where spark-submit
    named none.

    Raises:
        SettingsError: jars are missing.
    """
    given = _submitted()
    builder = SparkSession.builder.appName(name)
    for key, value in {**_defaults(), **_places(settings)}.items():
        if not given.contains(key):
            builder = builder.config(key, value)
    if not given.contains("spark.master"):
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        for key, value in _of_a_java_of_our_own().items():
            if not given.contains(key):
                builder = builder.config(key, value)
        builder = builder.master(master).config("spark.jars", ",".join(_jars(settings, jars)))
    return builder.getOrCreate()


def _submitted() -> SparkConf:
    """Return what spark-submit has set; nothing where Python started by itself."""
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        # a SparkConf made before Python has met spark-submit's JVM is empty
        SparkContext._ensure_initialized()  # noqa: SLF001 - pyspark offers no public way
    return SparkConf()


def _defaults() -> dict[str, str]:
    lines = (conf_folder() / "spark-defaults.conf").read_text(encoding="utf-8").splitlines()
    words = (line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))
    return {key: value.strip() for key, value in words}


def _of_a_java_of_our_own() -> dict[str, str]:
    """What spark-submit.sh says on its command line: warnings in one form, UTC, no progress."""
    log = conf_folder() / "log4j2.properties"
    return {
        "spark.driver.extraJavaOptions": f'"-Dlog4j2.configurationFile={log}" -Duser.timezone=UTC',
        "spark.ui.showConsoleProgress": "false",
    }


def _places(settings: Settings) -> dict[str, str]:
    """Where Spark may write on the side, and how it reaches S3 where the lake is there."""
    places = {"spark.sql.warehouse.dir": str(Path(tempfile.gettempdir()) / "candlelake-warehouse")}
    if is_s3(settings.lake.root):
        places |= _s3()
    if _commits_conditionally(settings):
        places |= CONDITIONAL_COMMITS
    return places


def _commits_conditionally(settings: Settings) -> bool:
    return is_s3(settings.lake.root) and settings.lake.log_store == "conditional"


def _s3() -> dict[str, str]:
    """S3A: the same address and credentials as boto3's, and no call that hangs for minutes."""
    from lake.s3 import endpoint, region  # noqa: PLC0415 - boto3 only where S3 is used

    conf = {
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        # environment, profile, web identity, container, instance: boto3's chain
        "spark.hadoop.fs.s3a.aws.credentials.provider": CREDENTIALS,
        # 15 s is S3A's own floor. The SDK tries again within it; S3A's retries would multiply it
        "spark.hadoop.fs.s3a.connection.request.timeout": "15s",
        "spark.hadoop.fs.s3a.connection.establish.timeout": "15s",
        "spark.hadoop.fs.s3a.connection.timeout": "15s",
        "spark.hadoop.fs.s3a.attempts.maximum": "7",
        "spark.hadoop.fs.s3a.retry.limit": "0",
        # an upload may take longer, so it goes in smaller parts
        "spark.hadoop.fs.s3a.connection.part.upload.timeout": "50s",
        "spark.hadoop.fs.s3a.multipart.size": "16M",
        # a checkpoint by rename is a copy in S3, and not atomic
        "spark.sql.streaming.checkpointFileManagerClass": CHECKPOINTS_IN_S3,
    }
    if (named := region()) is not None:
        conf["spark.hadoop.fs.s3a.endpoint.region"] = named
    if (address := endpoint()) is not None:
        conf |= {
            "spark.hadoop.fs.s3a.endpoint": address,
            "spark.hadoop.fs.s3a.path.style.access": "true",
            "spark.hadoop.fs.s3a.connection.ssl.enabled": str(address.startswith("https")).lower(),
        }
    return conf


def _jars(settings: Settings, more: Sequence[str]) -> list[str]:
    folder = conf_folder().parent / ".jars"
    wanted = ["jars", *(["jars-s3"] if is_s3(settings.lake.root) else []), *more]
    wanted += ["log-store"] if _commits_conditionally(settings) else []
    found: list[str] = []
    for group in wanted:
        jars = sorted((folder / group).glob("*.jar"))
        if not jars:
            raise SettingsError(
                f"the jars of {group} are not here",
                hint="Run it once by ./spark-submit.sh with the same lake.root: it gets them.",
            )
        found += map(str, jars)
    return found
