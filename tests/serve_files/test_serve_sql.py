"""One command serves the lake to SQL clients; real ones ask it, and all get the same answer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tests.serve_files.sql_server import Server, listening_on, serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

MINUTES = "FROM gold.ohlcv WHERE bar_interval = '1m' AND bar_start < '2024-01-01T02:00:00Z'"
COUNTED = f"SELECT count(*), sum(trade_count), max(high), sum(volume) {MINUTES}"
#: Of the first two hours, by the exchange's own bars of 1h.
ANSWER = (120, 97530, Decimal("42775.0000000000"), Decimal("2468.059640000000000000"))
CLOSE = Decimal("42475.2300000000")
#: A client of Spark Connect; an address and a statement are its arguments.
REMOTE = """
import sys
from pyspark.sql import SparkSession

spark = SparkSession.builder.remote(sys.argv[1]).getOrCreate()
print(tuple(spark.sql(sys.argv[2]).first()))
for bars in (spark.table("gold.ohlcv_filled"), spark.sql("SELECT * FROM ohlcv_as_of(now())")):
    print(bars.where("bar_interval = '1h'").orderBy("bar_start").first().close)
"""


@pytest.fixture(scope="module")
def server(bundled_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(bundled_lake, tmp_path_factory.mktemp("serve-sql")) as running:
        yield running


def test_tables_views_and_functions_have_their_names(server: Server) -> None:
    gold = {name for _, name, _ in server.ask("SHOW TABLES IN gold")}
    functions = {name.rpartition(".")[2] for (name,) in server.ask("SHOW USER FUNCTIONS")}

    assert gold >= {"ohlcv", "ohlcv_filled", "ohlcv_by_start", "ohlcv_by_end", "ohlcv_known"}
    assert ("silver", "agg_trades_known", False) in server.ask("SHOW TABLES IN silver")
    assert functions >= {"ohlcv_as_of", "agg_trades_as_of"}


def test_jdbc_gives_exact_decimals(server: Server) -> None:
    assert server.ask(COUNTED) == [ANSWER]


def test_a_view_that_is_made_in_python_is_served(server: Server) -> None:
    assert server.ask(COUNTED.replace("gold.ohlcv", "gold.ohlcv_filled")) == [ANSWER]


def test_both_labels_of_a_bar_are_served(server: Server) -> None:
    by_end = "SELECT min(bar_time) FROM gold.ohlcv_by_end WHERE bar_interval = '1h'"
    by_start = "SELECT min(bar_time) FROM gold.ohlcv_by_start WHERE bar_interval = '1h'"

    assert server.ask(by_end) == [(datetime(2024, 1, 1, 1),)]
    assert server.ask(by_start) == [(datetime(2024, 1, 1, 0),)]


def test_a_moment_is_asked_by_its_function_and_by_what_it_filters(server: Server) -> None:
    now = "SELECT min_by(close, bar_start) FROM ohlcv_as_of(now()) WHERE bar_interval = '1h'"
    early = "SELECT count(*) FROM ohlcv_as_of(timestamp'2023-12-31T23:00:00Z')"
    by_hand = (
        "SELECT min_by(close, bar_start) FROM gold.ohlcv_known WHERE bar_interval = '1h'"
        " AND known_from <= now() AND (known_until IS NULL OR known_until > now())"
    )

    assert server.ask(now) == server.ask(by_hand) == [(CLOSE,)]
    assert server.ask(early, database="gold") == [(0,)]


def test_beeline_asks_over_jdbc(server: Server) -> None:
    """Spark's own command, which comes into the environment with it."""
    done = subprocess.run(
        [
            *(str(Path(sys.executable).parent / "beeline"), "-u", server.jdbc),
            *("--silent=true", "--outputformat=csv2", "-e", f"{COUNTED};"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert ",".join(map(str, ANSWER)) in done.stdout.splitlines(), done.stderr[-2000:]


def test_spark_connect_gives_the_same(server: Server) -> None:
    done = subprocess.run(
        [sys.executable, "-c", REMOTE, server.connect, COUNTED],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == [str(ANSWER), str(CLOSE), str(CLOSE)]


def test_only_this_machine_is_served(server: Server) -> None:
    """Both ports are bound to the loopback address: no other address of the machine answers."""
    assert [listening_on(port) for port in server.ports] == [{"127.0.0.1"}] * 2
