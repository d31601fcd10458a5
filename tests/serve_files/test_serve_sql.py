"""One command serves the lake to SQL clients; real ones ask it, and all get the same answer."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyhive import hive  # type: ignore[import-untyped]

from tests.front_door.commands import ROOT, environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

MINUTES = "FROM gold.ohlcv WHERE bar_interval = '1m' AND bar_start < '2024-01-01T02:00:00Z'"
COUNTED = f"SELECT count(*), sum(trade_count), max(high), sum(volume) {MINUTES}"
#: Of the first two hours, by the exchange's own bars of 1h.
ANSWER = (120, 97530, Decimal("42775.0000000000"), Decimal("2468.059640000000000000"))


@dataclass
class Server:
    """The running command and the addresses that it printed."""

    process: subprocess.Popen[str]
    jdbc: str
    connect: str

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask over JDBC's protocol, in a session of its own."""
        host, _, port = self.jdbc.removeprefix("jdbc:hive2://").partition(":")
        with hive.connect(host, int(port), auth="NONE") as connection:
            cursor = connection.cursor()
            cursor.execute(statement)
            return list(cursor.fetchall())


def started(lake: Path, folder: Path) -> Server:
    with (folder / "errors").open("w") as errors:
        process = subprocess.Popen(
            [
                *(str(ROOT / "spark-submit.sh"), "serve-sql", "--thrift-port", "0"),
                *("--connect-port", "0", "--set", f"lake.root={lake}"),
            ],
            cwd=folder,
            env={**environment(), "CANDLELAKE_REQUIREMENTS": "dev"},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    jdbc, connect = (process.stdout.readline().strip() for _ in range(2))
    assert connect, (folder / "errors").read_text()[-3000:]
    return Server(process, jdbc, connect)


@pytest.fixture(scope="module")
def server(bundled_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = started(bundled_lake, tmp_path_factory.mktemp("serve-sql"))
    yield running
    ended(running, signal.SIGTERM)


def ended(running: Server, number: signal.Signals) -> None:
    running.process.send_signal(number)
    running.process.wait(60)
    if running.process.stdout is not None:
        running.process.stdout.close()


def test_tables_and_views_have_their_names_over_jdbc(server: Server) -> None:
    assert ("gold", "ohlcv", False) in server.ask("SHOW TABLES IN gold")
    assert ("gold", "ohlcv_filled", False) in server.ask("SHOW TABLES IN gold")
    assert ("silver", "agg_trades_known", False) in server.ask("SHOW TABLES IN silver")


def test_jdbc_gives_exact_decimals(server: Server) -> None:
    assert server.ask(COUNTED) == [ANSWER]


def test_views_of_the_session_are_served_too(server: Server) -> None:
    """A view that is made in Python, and those that as-of functions filter."""
    (filled,) = server.ask(COUNTED.replace("gold.ohlcv", "gold.ohlcv_filled"))
    assert filled == ANSWER
    (known,) = server.ask(
        "SELECT count(*) FROM gold.ohlcv_known WHERE bar_interval = '1h'"
        " AND known_from <= current_timestamp() AND known_until IS NULL"
    )
    assert known[0] >= 2
    by_end = "SELECT min(bar_time) FROM gold.ohlcv_by_end WHERE bar_interval = '1h'"
    assert server.ask(by_end) == [("2024-01-01 01:00:00",)]


def test_a_tool_of_java_asks_over_jdbc(server: Server) -> None:
    """Beeline, the JDBC client that comes with Spark's own jars."""
    import pyspark  # noqa: PLC0415 - only its place is wanted

    jars = Path(pyspark.__file__).parent / "jars"
    done = subprocess.run(
        [
            *("java", "-cp", f"{jars}/*", "org.apache.hive.beeline.BeeLine", "-u", server.jdbc),
            *("--silent=true", "--outputformat=csv2", "-e", f"{COUNTED};"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert ",".join(map(str, ANSWER)) in done.stdout.splitlines(), done.stderr[-2000:]


def test_spark_connect_gives_the_same(server: Server) -> None:
    program = (
        "import sys; from pyspark.sql import SparkSession\n"
        f"spark = SparkSession.builder.remote({server.connect!r}).getOrCreate()\n"
        f"print(tuple(spark.sql({COUNTED!r}).first()))\n"
        "print(spark.table('gold.ohlcv_filled').where(\"bar_interval = '1h'\").count())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=300
    )

    assert done.returncode == 0, done.stderr[-2000:]
    answer, hours = done.stdout.splitlines()
    assert answer == str(ANSWER)
    assert int(hours) >= 2


def test_only_this_machine_is_served(server: Server) -> None:
    """Both ports are bound to the loopback address: no other address of the machine answers."""
    ports = [int(address.rpartition(":")[2]) for address in (server.jdbc, server.connect)]

    for port in ports:
        assert listening_on(port) == {"127.0.0.1"}


def listening_on(port: int) -> set[str]:
    """Return the addresses that are listened on, by Linux's own tables."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            address, _, local_port = local.partition(":")
            if state == "0A" and int(local_port, 16) == port:
                found.add(socket.inet_ntoa(bytes.fromhex(address[-8:])[::-1]))
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_leaves_nothing(
    bundled_lake: Path, tmp_path: Path, number: signal.Signals
) -> None:
    running = started(bundled_lake, tmp_path)

    began = time.monotonic()
    ended(running, number)

    assert time.monotonic() - began < 30
    assert [path.name for path in tmp_path.iterdir()] == ["errors"]
    assert "Traceback" not in (tmp_path / "errors").read_text()
    port = int(running.jdbc.rpartition(":")[2])
    assert listening_on(port) == set()
    assert orphans() == []


def orphans() -> list[str]:
    """Return the processes that still run the job and have lost their parent."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if any(word.endswith(b"jobs/serve_sql.py") for word in words) and parent == "1":
            found.append(folder.name)
    return found


def test_a_taken_port_is_told_in_one_line(bundled_lake: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [
                *(str(ROOT / "spark-submit.sh"), "serve-sql", "--thrift-port", port),
                *("--set", f"lake.root={bundled_lake}"),
            ],
            cwd=tmp_path,
            env={**environment(), "CANDLELAKE_REQUIREMENTS": "dev"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    assert done.returncode == 1
    assert f"candlelake: the port {port} can't be listened on" in done.stderr
    assert "Traceback" not in done.stderr
