"""Serve the lake's tables and views to SQL clients: JDBC (Spark Thrift) and Spark Connect.

Run by `./spark-submit.sh serve-sql`.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from typing import Annotated, Any

import typer

from jobs.application import INTERRUPTED, run_job
from jobs.context import Context, open_context, open_lake
from jobs.continuous import stopped_by_signals
from jobs.options import Env, Sets
from jobs.shared_views import share
from lake.errors import ServeError
from lake.moment import seconds_of

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
Port = Annotated[int, typer.Option(min=0, max=65535)]


def serve_sql(
    *,
    thrift_port: Port = 10000,
    connect_port: Port = 15002,
    refresh_seconds: Annotated[
        int, typer.Option(min=1, help="How often new tables and what views collect are looked for.")
    ] = 60,
    lifetime: Annotated[
        str, typer.Option(help="Such as 10m or 1h; without it until it is told to stop.")
    ] = "",
    env: Env = "replay",
    sets: Sets = None,
) -> None:
    """Serve silver.*, gold.* and ops.* over JDBC and Spark Connect, on this machine alone.

    Both share one Spark session and one catalog, until SIGTERM or an interrupt.

    Example: ./spark-submit.sh serve-sql
    """
    parent, lives = os.getppid(), seconds_of(lifetime, "--lifetime") if lifetime else None
    with (
        stopped_by_signals() as (stopping, signals),
        open_context("serve-sql", open_lake(env, sets or ())) as context,
    ):
        shared = share(context)
        log.info("views shared: %s", ", ".join(shared))
        jdbc, connect = start_thrift(context, thrift_port), start_connect(context, connect_port)
        print(f"jdbc:hive2://{LOOPBACK}:{jdbc}")
        print(f"sc://localhost:{connect}", flush=True)
        began = due = time.monotonic()
        # spark-submit has the signal too: without its JVM there is nothing left to serve
        while not stopping.wait(0.5) and os.getppid() == parent:
            now = time.monotonic()
            if lives is not None and now - began >= lives:
                break
            if now - due >= refresh_seconds:
                share(context)
                due = time.monotonic()
    if signal.SIGINT in signals:
        raise SystemExit(INTERRUPTED)


def start_thrift(context: Context, port: int) -> int:
    """Start the server of JDBC in this session's JVM; return its port, a free one for 0.

    Raises:
        ServeError: the port is taken.
    """
    port = _free(port)
    jvm, conf = _jvm(context), _conf(context)
    hadoop = context.spark.sparkContext._jsc.hadoopConfiguration()  # noqa: SLF001
    names = {"hive.server2.thrift.bind.host": LOOPBACK, "hive.server2.thrift.port": str(port)}
    for key, value in names.items():
        hadoop.set(key, value)
        conf.set(f"spark.hadoop.{key}", value)
    session = context.spark._jsparkSession  # noqa: SLF001
    jvm.org.apache.spark.sql.hive.thriftserver.HiveThriftServer2.startWithSparkSession(
        session,
        False,
    )
    return port


def start_connect(context: Context, port: int) -> int:
    """Start the server of Spark Connect in this session's JVM; return its port, a free one for 0.

    Raises:
        ServeError: the port is taken.
    """
    port = _free(port)
    jvm, conf = _jvm(context), _conf(context)
    conf.set("spark.connect.grpc.binding.address", LOOPBACK)
    conf.set("spark.connect.grpc.binding.port", str(port))
    spark_context = context.spark.sparkContext._jsc.sc()  # noqa: SLF001
    jvm.org.apache.spark.sql.connect.service.SparkConnectService.start(spark_context)
    return port


def _jvm(context: Context) -> Any:
    return context.spark._jvm  # noqa: SLF001 - both servers are Java's


def _conf(context: Context) -> Any:
    return context.spark.sparkContext._jsc.sc().conf()  # noqa: SLF001


def _free(port: int) -> int:
    """Return the port, or for 0 one that is free; the servers' own words for a taken one are long.

    Raises:
        ServeError: another program listens there.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise ServeError(
                f"the port {port} can't be listened on: {error.strerror}",
                where=LOOPBACK,
                hint="Stop the other program, or name others: --thrift-port, --connect-port.",
            ) from error
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    run_job(serve_sql)
