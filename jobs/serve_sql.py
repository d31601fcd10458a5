"""Serve the lake's tables and views to SQL clients: JDBC (Spark Thrift) and Spark Connect.

Run by `./spark-submit.sh serve-sql`.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Event
from typing import Annotated, Any

import typer
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from jobs.application import INTERRUPTED, run_job
from jobs.context import Context, open_context, open_lake
from jobs.continuous import stopped_by_signals
from jobs.options import Env, Sets
from jobs.shared_views import share
from lake.errors import CandlelakeError, ServeError
from lake.moment import seconds_of

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
#: What Spark raises, on its own account or its gateway's.
OF_SPARK = (PySparkException, Py4JError)
#: How long the JVM may take to end when it was told to.
PATIENCE_SECONDS = 10
#: They warn at each statement: that there is no job to cancel, and what the client has been told.
NOISY = (
    "org.apache.spark.scheduler.DAGScheduler",
    "org.apache.hive.service.cli.thrift.ThriftCLIService",
)
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
    lives = seconds_of(lifetime, "--lifetime") if lifetime else None
    lake, ports = open_lake(env, sets or ()), free_ports(thrift_port, connect_port)
    with stopped_by_signals() as (stopping, signals):
        told = Told(stopping, os.getppid())
        try:
            with open_context("serve-sql", lake) as context:
                start(context, *ports)
                _serve(context, told, refresh_seconds, lives)
        except (*OF_SPARK, OSError):
            if not told.to_stop_within(PATIENCE_SECONDS):
                raise
    if signal.SIGINT in signals:
        raise SystemExit(INTERRUPTED)


@dataclass(frozen=True, slots=True)
class Told:
    """Whether this process is to stop.

    A signal reaches spark-submit's JVM, our parent, alone or first: what Spark raises then is no
    fault, and without it there is nothing left to serve.
    """

    stopping: Event
    parent: int

    def to_stop_within(self, seconds: float) -> bool:
        """Wait so long, or until it is; tell whether it is."""
        patient_until = time.monotonic() + seconds
        while not self.stopping.wait(0.1) and os.getppid() == self.parent:
            if time.monotonic() >= patient_until:
                return False
        return True


def start(context: Context, thrift_port: int, connect_port: int) -> None:
    """Share the lake's names, start both servers, and print where they are."""
    log4j = _jvm(context).org.apache.logging.log4j
    for name in NOISY:
        log4j.core.config.Configurator.setLevel(name, log4j.Level.ERROR)
    share(context)
    start_thrift(context, thrift_port)
    start_connect(context, connect_port)
    print(f"jdbc:hive2://{LOOPBACK}:{thrift_port}")
    print(f"sc://localhost:{connect_port}", flush=True)


def _serve(
    context: Context, told: Told, refresh_seconds: int, lifetime_seconds: float | None
) -> None:
    began = due = time.monotonic()
    while not told.to_stop_within(0.5):
        now = time.monotonic()
        if lifetime_seconds is not None and now - began >= lifetime_seconds:
            return
        if now - due < refresh_seconds:
            continue
        try:
            share(context)
        except (*OF_SPARK, CandlelakeError) as error:
            if told.to_stop_within(PATIENCE_SECONDS):
                return
            why = str(error).partition("\n")[0]
            log.warning("served as before; new tables could not be looked for: %s", why)
        due = time.monotonic()


def free_ports(*wanted: int) -> list[int]:
    """Return the ports, or for 0 one that is free, before Spark is started in vain for a taken one.

    Raises:
        ServeError: another program listens on one, or one is named twice.
    """
    with ExitStack() as probes:
        found = []
        for port in wanted:
            probe = probes.enter_context(socket.socket())
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
                probe.listen()
            except OSError as error:
                raise ServeError(
                    f"the port {port} can't be listened on: {error.strerror}",
                    where=LOOPBACK,
                    hint="Stop the other program, or name others: --thrift-port, --connect-port.",
                ) from error
            found.append(int(probe.getsockname()[1]))
        return found


def start_thrift(context: Context, port: int) -> None:
    """Start the server of JDBC, HiveServer2's protocol, in this session's JVM."""
    jvm, conf = _jvm(context), _conf(context)
    # its catalog in memory is Derby's, which would write a log where the command is run
    jvm.java.lang.System.setProperty("derby.stream.error.file", os.devnull)
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


def start_connect(context: Context, port: int) -> None:
    """Start the server of Spark Connect in this session's JVM."""
    jvm, conf = _jvm(context), _conf(context)
    conf.set("spark.connect.grpc.binding.address", LOOPBACK)
    conf.set("spark.connect.grpc.binding.port", str(port))
    spark_context = context.spark.sparkContext._jsc.sc()  # noqa: SLF001
    jvm.org.apache.spark.sql.connect.service.SparkConnectService.start(spark_context)


def _jvm(context: Context) -> Any:
    return context.spark._jvm  # noqa: SLF001 - both servers are Java's


def _conf(context: Context) -> Any:
    return context.spark.sparkContext._jsc.sc().conf()  # noqa: SLF001


if __name__ == "__main__":
    run_job(serve_sql)
