"""Funding rates and mark bars from the replay's answers to gold, by REST and by the archive."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from extract.replay.contract_tape import FuturesTape
from extract.replay.futures_tape import SEED, USDM_CONTRACTS
from jobs import catalog, gold_of_perpetuals, instruments, pipeline, rebuild, silver
from jobs.context import Context
from jobs.options import select
from lake.clock import to_millis
from lake.errors import UsageError
from lake.tables import (
    GOLD_FUNDING_RATES,
    GOLD_MARK_OHLCV,
    OPS_QUARANTINE,
    SILVER_FUNDING_RATES,
    SILVER_MARK_KLINES,
    TABLES,
    Table,
)
from tests.jobs.conftest import OpenLake
from tests.jobs.landed import held, land
from tests.jobs.running import extract

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(1500)]

BINANCE = {"exchange": "binance", "kind": "usdm", "instruments": "BTCUSDT"}
DERIBIT = {"exchange": "deribit", "kind": "future", "instruments": "BTC-*"}
RATES, MARKS = {"datasets": "funding_rates"}, {"datasets": "mark_klines"}
#: 2024-08-08, the day of which the archive serves mark bars.
DAY = datetime(2024, 8, 8, tzinfo=UTC)
PRICES = ("open", "high", "low", "close")


class StandingClock:
    """A clock that stands still."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def sleep(self, seconds: float) -> None:
        raise AssertionError(seconds)


def utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)


def commits(context: Context) -> dict[str, int]:
    root = Path(context.settings.lake.root)
    tables = [table for table in TABLES.values() if not table.name.startswith("ops")]
    return {
        table.name: len(list((root / table.path / "_delta_log").glob("*.json"))) for table in tables
    }


@pytest.fixture(scope="module")
def lake(open_lake: OpenLake) -> Context:
    """One perpetual of each exchange, by REST and the archive; first gold saw half of the day."""
    context = open_lake()
    for table in TABLES.values():
        if table.on_demand:
            shutil.rmtree(Path(context.settings.lake.root) / table.path)
    rest = {"start": "2024-07-30", "end": "2024-08-09T00:10:00Z"}
    archive = {"start": "2024-07-30", "end": "2024-08-01", "source": "archive"}
    extract(context, **BINANCE, **RATES, **rest)
    extract(context, **BINANCE, **RATES, **archive)
    extract(context, **DERIBIT, **RATES, **rest)
    day = {"start": "2024-08-08", "end": "2024-08-09"}
    extract(context, **BINANCE, **MARKS, **day)
    extract(context, **BINANCE, **MARKS, **day, source="archive")
    instruments.consume(context)
    silver.consume(context, "mark_klines")
    for hours, days in ((13, 0), (25, 1)):
        moment = DAY + timedelta(hours=hours)
        gold_of_perpetuals.follow(replace(context, clock=StandingClock(moment)))
        whole = held(context, GOLD_MARK_OHLCV, "bar_interval = '1d'")
        assert len(whole) == days, "a day is a candle once it has ended, without any new minute"
    pipeline.refine(context)
    return context


def rows(context: Context, table: Table, where: str, *columns: str) -> list[tuple[Any, ...]]:
    found = [tuple(row[name] for name in columns) for row in held(context, table, where)]
    return sorted(found, key=lambda row: str(row[0]))


def test_rest_and_archive_give_the_same_rates_in_silver(lake: Context) -> None:
    columns = ("funding_timestamp", "exchange_timestamp", "funding_rate", "instrument_uid")
    july = "exchange = 'binance' AND month = 7 AND day >= 30"

    by_rest = rows(lake, SILVER_FUNDING_RATES, f"{july} AND source = 'history'", *columns)
    by_archive = rows(lake, SILVER_FUNDING_RATES, f"{july} AND source = 'archive'", *columns)

    assert by_rest == by_archive
    assert len(by_rest) == 6
    # the month's file is landed whole
    assert len(held(lake, SILVER_FUNDING_RATES, "source = 'archive'")) == 93


def test_rest_and_archive_give_the_same_mark_bars_in_silver(lake: Context) -> None:
    columns = ("open_time", "close_time", *PRICES, "bar_interval", "revision", "is_closed")

    by_rest = rows(lake, SILVER_MARK_KLINES, "source = 'history'", *columns)
    by_archive = rows(lake, SILVER_MARK_KLINES, "source = 'archive'", *columns)

    assert len(by_rest) == 1440
    assert by_rest == by_archive


def test_a_settlement_is_one_row_of_gold_that_says_how_its_hours_are_known(lake: Context) -> None:
    columns = ("settlement_timestamp", "funding_interval_hours", "interval_is", "source")
    found = rows(lake, GOLD_FUNDING_RATES, "exchange = 'binance'", *columns)

    assert [row[0] for row in found] == [
        datetime(2024, 7, 1) + timedelta(hours=8 * step) for step in range(118)
    ]
    assert {row[1] for row in found} == {8}
    assert [row[2] for row in found] == ["published"] * 93 + ["derived"] * 25
    assert [row[3] for row in found] == ["archive"] * 87 + ["history"] * 31
    assert not any(row["is_disputed"] for row in held(lake, GOLD_FUNDING_RATES))


def test_hours_of_deribit_are_there_of_perpetuals_alone(lake: Context) -> None:
    found = held(lake, GOLD_FUNDING_RATES, "exchange = 'deribit'")

    assert {row["instrument"] for row in found} == {"BTC-PERPETUAL"}
    assert {row["instrument_uid"] for row in found} == {"210838"}
    assert len(found) == 10 * 24 + 1
    assert {(row["funding_interval_hours"], row["interval_is"]) for row in found} == {
        (1, "published")
    }
    # sent with an exponent, and exact
    assert all(-row["funding_rate"].normalize().as_tuple().exponent > 15 for row in found)


@pytest.mark.parametrize(("interval", "count"), [("1m", 1440), ("1h", 24), ("4h", 6), ("1d", 1)])
def test_candles_of_the_mark_price_are_the_exchanges_own(
    lake: Context, interval: str, count: int
) -> None:
    tape = FuturesTape(USDM_CONTRACTS["BTCUSDT"], SEED)
    now = to_millis(DAY) + 86_400_000 + 900_000
    own = tape.mark_klines(interval, now)[:count]

    found = rows(lake, GOLD_MARK_OHLCV, f"bar_interval = '{interval}'", "bar_start", *PRICES)

    assert len(found) == count
    assert [(to_millis(utc(row[0])), *row[1:]) for row in found] == [
        (bar[0], *(Decimal(str(price)) for price in bar[1:5])) for bar in own
    ]


def test_each_candle_is_whole_and_agreed_on(lake: Context) -> None:
    found = held(lake, GOLD_MARK_OHLCV)

    assert len(found) == 1440 + 288 + 96 + 24 + 6 + 1
    assert {(row["is_complete"], row["is_disputed"], row["source"]) for row in found} == {
        (True, False, "history")
    }


def test_a_second_run_writes_nothing(lake: Context) -> None:
    before = commits(lake)

    pipeline.refine(lake)

    assert commits(lake) == before


def test_sql_knows_the_tables(lake: Context) -> None:
    catalog.register(lake)

    (row,) = lake.spark.sql(
        "select sum(cast(r.funding_rate as decimal(30,20)) * m.close) is not null as fits,"
        " count(*) as settled"
        " from gold.funding_rates r join gold.mark_ohlcv m on m.bar_interval = '1m'"
        " and m.instrument = r.instrument and m.bar_end = r.settlement_timestamp"
    ).collect()

    assert (row["fits"], row["settled"]) == (True, 3)


@pytest.mark.parametrize("table", [GOLD_FUNDING_RATES, GOLD_MARK_OHLCV], ids=lambda t: t.name)
def test_what_is_lost_or_wrong_is_built_again(lake: Context, table: Table) -> None:
    whole = sorted(map(str, held(lake, table)))
    lake.tables.delete(table, "exchange = 'binance' AND knowledge_timestamp IS NOT NULL")
    assert len(held(lake, table)) < len(whole)

    rebuild.run(
        lake,
        table.name,
        select(lake.settings, start="2024-07-01", end="2024-08-09", **BINANCE),
    )

    assert sorted(map(str, held(lake, table))) == whole


def test_a_rebuild_of_what_was_never_landed_is_refused(lake: Context) -> None:
    of_coins = {"exchange": "binance", "kind": "coinm", "instruments": "BTCUSD_PERP"}
    selection = select(lake.settings, start="2024-07-01", end="2024-08-09", **of_coins)

    with pytest.raises(UsageError, match="bronze holds no mark_klines"):
        rebuild.run(lake, GOLD_MARK_OHLCV.name, selection)


@pytest.fixture
def landed(open_lake: OpenLake) -> Context:
    return open_lake()


def settled(context: Context, time: int, rates: Sequence[str], tag: str) -> None:
    """Land settlements of every eight hours by the archive."""
    lines = [f"{time + step * 28_800_000},8,{rate}" for step, rate in enumerate(rates)]
    until = time + len(rates) * 28_800_000
    land(
        context,
        "BTCUSDT",
        ["\n".join(lines)],
        ids=(time, until - 1),
        times=(time, until),
        dataset="funding_rates",
        kind="usdm",
        mode="archive",
        tag=tag,
    )


def test_a_rate_published_anew_is_a_revision_and_one_that_does_not_fit_is_quarantined(
    landed: Context,
) -> None:
    new_year = 1_704_067_200_000 - 30 * 86_400_000
    settled(landed, new_year, ["0.00010000", "0.00020000", "0." + "1" * 35], "aaaa")
    pipeline.refine(landed)
    first = rows(landed, GOLD_FUNDING_RATES, "true", "settlement_timestamp", "funding_rate")
    settled(landed, new_year, ["0.00010000", "0.00050000"], "bbbb")

    pipeline.refine(landed)

    (refused,) = held(landed, OPS_QUARANTINE)
    assert refused["reasons"] == ["funding_rate_exceeds_decimal_38_34"]
    assert refused["payload"].endswith(",8,0." + "1" * 35)
    assert [row[1] for row in first] == [Decimal("0.0001"), Decimal("0.0002")]
    found = rows(landed, GOLD_FUNDING_RATES, "true", "settlement_timestamp", "funding_rate")
    assert [row[1] for row in found] == [Decimal("0.0001"), Decimal("0.0005")]
    trail = rows(
        landed, SILVER_FUNDING_RATES, "true", "funding_timestamp", "revision", "funding_rate"
    )
    assert [row[1:] for row in sorted(trail)] == [
        (0, Decimal("0.0001")),
        (0, Decimal("0.0002")),
        (1, Decimal("0.0005")),
    ]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"exchange": "binance", "kind": "spot", "instruments": "BTCUSDT", **RATES}, "spot"),
        ({"exchange": "deribit", "kind": "future", "instruments": "BTC-27SEP24", **RATES}, "27SEP"),
        ({"exchange": "deribit", "kind": "future", "instruments": "*", **MARKS}, "mark_klines"),
    ],
    ids=["spot", "dated", "deribit"],
)
def test_what_is_no_perpetual_is_told_and_nothing_lands(
    landed: Context, options: dict[str, str], told: str
) -> None:
    with pytest.raises(UsageError, match="published of perpetuals alone") as raised:
        extract(landed, start="2024-08-08", end="2024-08-09", **options)

    assert told in str(raised.value)
    assert list(landed.store.names("bronze/")) == []


def test_a_run_that_names_nothing_takes_none_of_it(landed: Context) -> None:
    extract(landed, **BINANCE, start="2024-08-08T23:56:00Z", end="2024-08-09T00:10:00Z")

    folders = {key.split("/")[1] for key in landed.store.names("bronze/")}
    assert folders == {"instruments", "agg_trades", "klines"}
