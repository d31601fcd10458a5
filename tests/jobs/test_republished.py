"""Archive files published anew: a changed bar is a revision, a changed trade a conflict."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from extract.client import Client
from extract.coverage import DAY_MS
from extract.host import Hosts
from extract.pool import run_all
from extract.subject import Subject
from extract.window import tasks_of
from jobs import gold, silver
from jobs.context import Context
from lake.settings import load_settings
from lake.tables import GOLD_OHLCV, OPS_CONFLICTS, OPS_CONTINUITY, SILVER_AGG_TRADES, SILVER_KLINES
from tests.extract.bulk import AGGREGATES, BARS, agg_line, publishing, zipped
from tests.extract.small_server import SmallServer
from tests.jobs.conftest import OpenLake
from tests.jobs.landed import MIDNIGHT, held

pytestmark = [pytest.mark.spark, pytest.mark.slow]

DAY = "2024-01-01"
TRADES_FILE = AGGREGATES.format("daily", DAY)
BARS_FILE = BARS.format("daily", "1h", "1h", DAY)
BAR = "{open},{price},{price},{price},{price},1.0,{close},42000.01,2,0.5,21000.005,0\n"


def bars(*prices: str) -> bytes:
    hour = 3_600_000
    lines = [
        BAR.format(
            open=MIDNIGHT + place * hour, close=MIDNIGHT + (place + 1) * hour - 1, price=price
        )
        for place, price in enumerate(prices)
    ]
    return zipped("".join(lines))


def trades(*lines: str) -> bytes:
    return zipped("".join(lines))


BEFORE = {
    TRADES_FILE: trades(agg_line(1, MIDNIGHT), agg_line(2, MIDNIGHT + 5)),
    BARS_FILE: bars("42000.01", "42000.02"),
}
#: The second trade has another price, a third one came; the second bar has another close.
AFTER = {
    TRADES_FILE: trades(
        agg_line(1, MIDNIGHT),
        agg_line(2, MIDNIGHT + 5).replace("42000.01", "42000.07"),
        agg_line(3, MIDNIGHT + 9),
    ),
    BARS_FILE: bars("42000.01", "42000.03"),
}


def brought(context: Context, url: str) -> None:
    """Land the day, checking again what is held, and bring it to gold."""
    settings = load_settings("replay", [f"exchanges.binance.archive_url={url}"])
    client = Client(settings, clock=context.clock, hosts=Hosts())
    day = (MIDNIGHT, MIDNIGHT + DAY_MS)
    for subject in (
        Subject("binance", "spot", "BTCUSDT", "agg_trades", *day, "archive"),
        Subject("binance", "spot", "BTCUSDT", "klines", *day, "archive", "1h"),
    ):
        tasks = tasks_of(settings, context.store, client, subject, run_id="run", checks_again=True)
        run_all(tasks, 1)
        silver.consume(context, subject.dataset)
    gold.follow(context)


@pytest.fixture(scope="module")
def republished(open_lake: OpenLake) -> Context:
    context = open_lake()
    files = dict(BEFORE)
    with SmallServer(route=publishing(files)) as server:
        brought(context, server.url)
        files.update(AFTER)
        brought(context, server.url)
    return context


def test_the_raw_zips_of_both_publications_stay(republished: Context) -> None:
    root = Path(republished.settings.lake.root)

    assert len([path for path in root.rglob("*-2024-01-01.zip*") if "META" not in path.name]) >= 4


def test_a_bar_published_anew_is_a_revision_and_the_equal_one_is_not(republished: Context) -> None:
    found = [
        (row["open_time"].hour, row["revision"], row["close"])
        for row in held(republished, SILVER_KLINES)
    ]

    assert sorted(found) == [
        (0, 0, Decimal("42000.01")),
        (1, 0, Decimal("42000.02")),
        (1, 1, Decimal("42000.03")),
    ]


def test_a_trade_published_anew_is_a_conflict_and_one_that_was_left_out_comes_in(
    republished: Context,
) -> None:
    prices = {row["agg_id"]: row["price"] for row in held(republished, SILVER_AGG_TRADES)}
    (conflict,) = held(republished, OPS_CONFLICTS)

    assert prices == {1: Decimal("42000.01"), 2: Decimal("42000.01"), 3: Decimal("42000.01")}
    assert (conflict["id"], conflict["state"], conflict["differing"]) == (2, "open", ["price"])
    entries = [(row["entry"], row["last_id"]) for row in held(republished, OPS_CONTINUITY)]
    assert entries == [("held", 3)]


def test_the_bar_of_the_conflict_is_not_complete(republished: Context) -> None:
    (minute,) = held(republished, GOLD_OHLCV, "bar_interval = '1m'")

    assert (minute["trade_count"], minute["is_complete"]) == (3, False)
