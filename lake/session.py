"""The one way to a Spark session: conf/spark-defaults.conf, whatever started Python."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from lake.errors import SettingsError
from lake.objects import is_s3
from lake.settings import Settings, conf_folder


def build_session(settings: Settings, name: str, *, master: str = "local[*]") -> SparkSession:
    """Return the session of this process, made with our defaults where there is none.

    Under spark-submit the properties are set already; a notebook or a test gets the same ones.
    `master` counts only where spark-submit named none.
    """
    given = _submitted()
    builder = SparkSession.builder.appName(name)
    for key, value in {**_defaults(), **_places(settings)}.items():
        if not given.contains(key):
            builder = builder.config(key, value)
    if not given.contains("spark.master"):
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = builder.master(master).config("spark.jars", ",".join(_jars(settings)))
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


def _places(settings: Settings) -> dict[str, str]:
    """Where Spark may write on the side, and how it reaches S3 where the lake is there."""
    places = {"spark.sql.warehouse.dir": str(Path(tempfile.gettempdir()) / "candlelake-warehouse")}
    if is_s3(settings.lake.root):
        places |= _s3()
    return places


def _s3() -> dict[str, str]:
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    conf = {
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.s3a.attempts.maximum": "5",
        "spark.hadoop.fs.s3a.retry.limit": "4",
        "spark.hadoop.fs.s3a.connection.establish.timeout": "5s",
    }
    if endpoint:
        conf |= {
            "spark.hadoop.fs.s3a.endpoint": endpoint,
            "spark.hadoop.fs.s3a.endpoint.region": os.environ.get("AWS_REGION", "us-east-1"),
            "spark.hadoop.fs.s3a.path.style.access": "true",
            "spark.hadoop.fs.s3a.connection.ssl.enabled": str(endpoint.startswith("https")).lower(),
        }
    return conf


def _jars(settings: Settings) -> list[str]:
    folder = conf_folder().parent / ".jars"
    wanted = ["jars", "jars-s3"] if is_s3(settings.lake.root) else ["jars"]
    found = [str(jar) for group in wanted for jar in sorted((folder / group).glob("*.jar"))]
    if not found:
        raise SettingsError(
            "the jars of Delta are not here",
            hint="Run ./spark-submit.sh pipeline once: it gets them.",
        )
    return found
