"""Index prices, days of trades and what waits: published once, and again where they change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from jobs import conflicts, gold, publish, silver
from jobs.context import Context
from jobs.publishing.trades import Choice, choices_of
from lake.errors import UsageError
from lake.frames import local_frame
from lake.tables import SILVER_INDEX_PRICES
from serve.database.address import Address, address_of
from serve.database.repository import SqlRepository
from serve.records import IndexPrice, Trade
from serve.repository import Between
from tests.jobs.conftest import OpenLake
from tests.jobs.landed import MIDNIGHT, aggregate, land
from tests.serve_database import published

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(1800)]

DAY = 86_400_000
MINUTE = 60_000
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
DAY_OF_BTC = Choice(("binance", "spot", "BTCUSDT"), date(2024, 1, 1))


def place(lake: Context, address: Address) -> Address:
    """Return the database: the embedded one is the lake's own."""
    return address if address.is_postgres else address_of(lake.settings)


def price(minute: int, text: str, seconds: str, source: str = "history") -> tuple[Any, ...]:
    """Return a price of btc_usd for a minute of the day, so many seconds after its end."""
    start = FIRST + timedelta(minutes=minute)
    stood = start + timedelta(minutes=1) + timedelta(microseconds=int(Decimal(seconds) * 1_000_000))
    method = "get_index_price" if source == "history" else "deribit_price_index"
    told = {
        "exchange": "deribit",
        "kind": "index",
        "instrument": "btc_usd",
        "instrument_uid": "btc_usd",
        "minute": start,
        "price": Decimal(text),
        "price_timestamp": stood,
        "exchange_timestamp": 1,
        "timestamp_source": "server_answer_time",
        "price_source": method,
        "end_download_timestamp": stood,
        "knowledge_timestamp": stood,
        "source": source,
        "region": "test",
        "bronze_file": "bronze/file",
        "bronze_line": 1,
        "parser_version": 1,
        "year": 2024,
        "month": 1,
        "day": 1,
    }
    return tuple(told.get(field.name) for field in SILVER_INDEX_PRICES.schema)


def see(lake: Context, *rows: tuple[Any, ...]) -> None:
    frame = local_frame(lake.spark, rows, SILVER_INDEX_PRICES.schema)
    lake.tables.append(frame, SILVER_INDEX_PRICES)


def prices_held(address: Address) -> list[tuple[int, str, str]]:
    async def read(ask: SqlRepository) -> list[tuple[int, str, str]]:
        (series,) = [one for one in await ask.series() if one.series_type == "index"]
        found: list[IndexPrice] = list(
            await ask.index_prices(series.series_id, published.EVERYTHING)
        )
        assert (series.first_time, series.last_time) == (found[0].minute, found[-1].minute)
        return [((one.minute - MIDNIGHT) // MINUTE, one.price, one.price_source) for one in found]

    return published.asked(address, read)


def test_a_minute_has_the_price_nearest_to_its_end(open_lake: OpenLake, address: Address) -> None:
    lake = open_lake()
    polled, heard = "get_index_price", "deribit_price_index"
    see(lake, price(0, "42000.5", "3.5"), price(0, "42000.4", "-0.2", "live"))
    see(lake, price(1, "42001.5", "3.5"), price(1, "42001.4", "-9", "live"))

    first = published.run(lake, place(lake, address))
    assert first.counts["index_prices"] == 2
    assert prices_held(place(lake, address)) == [(0, "42000.4", heard), (1, "42001.5", polled)]

    assert published.run(lake, place(lake, address)).number is None
    see(lake, price(1, "42001.3", "-3.5", "live"), price(2, "42002", "4"))
    assert published.run(lake, place(lake, address)).counts["index_prices"] == 2
    lake.tables.delete(SILVER_INDEX_PRICES, "minute = TIMESTAMP'2024-01-01T00:02:00Z'")
    published.run(lake, place(lake, address))
    assert prices_held(place(lake, address)) == [(0, "42000.4", heard), (1, "42001.3", heard)]


def follow(lake: Context) -> None:
    silver.consume(lake, "agg_trades")
    gold.follow(lake)


def trades_held(address: Address) -> list[Trade]:
    async def read(ask: SqlRepository) -> list[Trade]:
        (series,) = await ask.series()
        behind = await ask.trades(series.series_id, published.EVERYTHING, 1)
        whole = list(await ask.trades(series.series_id, Between(MIDNIGHT, None, 100), None))
        assert whole[1:] == behind
        return whole

    return published.asked(address, read)


def publish_day(lake: Context, address: Address, *choices: Choice) -> publish.Outcome:
    context = published.served(lake, place(lake, address))
    return publish.run(context, published.wanted(), choices)


def test_a_day_of_trades_is_held_as_silver_has_it(open_lake: OpenLake, address: Address) -> None:
    lake = open_lake()
    land(lake, "BTCUSDT", [f"[{aggregate(1)},{aggregate(2)}]"], ids=(1, 2))
    follow(lake)

    early = publish_day(lake, address, DAY_OF_BTC)
    assert "the trades of 2024-01-01 wait" in " ".join(early.waiting)

    last = aggregate(3, T=str(MIDNIGHT + DAY - 1), q='"2.00000000"')
    times = (MIDNIGHT + MINUTE, MIDNIGHT + DAY)
    land(lake, "BTCUSDT", [f"[{last}]"], ids=(3, 3), times=times)
    follow(lake)
    assert publish_day(lake, address, DAY_OF_BTC).counts["trades"] == 3
    assert trades_held(place(lake, address))[2] == Trade(
        trade_seq=3,
        trade_id="3",
        trade_time_us=(MIDNIGHT + DAY - 1) * 1000,
        price="42000.1",
        quantity="2",
        quote_quantity="84000.2",
        taker_side="sell",
        print_kind="aggregate",
    )
    assert publish_day(lake, address, DAY_OF_BTC).number is None

    again = aggregate(2, p='"43000.00000000"')
    land(lake, "BTCUSDT", [f"[{again}]"], ids=(2, 2), tag="again")
    follow(lake)
    conflicts.correct_dataset(lake, "agg_trades", "id = 2")
    gold.follow(lake)
    assert publish_day(lake, address).counts["trades"] == 3, "a day chosen once is kept up to date"
    assert [one.price for one in trades_held(place(lake, address))] == [
        "42000.1",
        "43000",
        "42000.1",
    ]


def test_what_waits_is_told_and_comes_with_its_mark(open_lake: OpenLake, address: Address) -> None:
    lake = open_lake()
    other = f"[{aggregate(1)},{aggregate(2, T=str(MIDNIGHT + 5 * MINUTE))}]"
    land(lake, "BTCUSDT", [f"[{aggregate(1)}]"], ids=(1, 1))
    land(lake, "ETHUSDT", [other], ids=(1, 2), times=(MIDNIGHT, MIDNIGHT + 5 * MINUTE))
    follow(lake)
    where = place(lake, address)

    alone = published.run(lake, where, instruments="BTCUSDT")
    assert alone.waiting == []
    assert {key[1] for key in published.bars_held(where)} == {"BTCUSDT"}
    told = published.run(lake, where).waiting
    assert told == [
        (
            "binance/spot/ETHUSDT: 1 bar waits for the complete-until mark, which stands at"
            " 2024-01-01T00:05:00.000000Z"
        )
    ]
    assert len(published.bars_held(where)["spot", "ETHUSDT", "1m"]) == 1
    published.run(lake, where, incomplete=True)
    assert published.bars_held(where) == published.bars_of_gold(lake)

    # a listing that comes when all others are held is found among what was appended
    land(lake, "SOLUSDT", [f"[{aggregate(1)}]"], ids=(1, 1))
    follow(lake)
    assert published.run(lake, where).counts["bars"] == 1
    assert ("spot", "SOLUSDT", "1m") in published.bars_held(where)


def test_no_bar_is_told_complete_before_it_is_proved(open_lake: OpenLake, address: Address) -> None:
    lake = open_lake()
    where = place(lake, address)
    times = (MIDNIGHT, MIDNIGHT + 10 * MINUTE)
    last = aggregate(3, T=str(MIDNIGHT + 5 * MINUTE))
    body = f"[{aggregate(1)},{aggregate(2)},{last}]"
    land(lake, "BTCUSDT", [body], ids=(1, 5), times=times)
    follow(lake)

    assert published.run(lake, where).waiting == []
    assert complete_until(where) == MIDNIGHT + 5 * MINUTE

    lost = ",".join(aggregate(one, T=str(MIDNIGHT + (one + 3) * MINUTE)) for one in (4, 5))
    land(lake, "BTCUSDT", [f"[{lost}]"], ids=(4, 5), times=times, tag="again")
    follow(lake)
    assert published.run(lake, where).waiting == []
    assert complete_until(where) == MIDNIGHT + 10 * MINUTE
    assert all(bar.is_complete for bar in published.bars_held(where)["spot", "BTCUSDT", "1m"])


def complete_until(address: Address) -> int | None:
    async def read(ask: SqlRepository) -> int | None:
        (series,) = await ask.series()
        return series.complete_until

    return published.asked(address, read)


@pytest.mark.parametrize(
    ("trades", "days"),
    [
        ("binance/spot/BTCUSDT", None),
        (None, "2024-01-01"),
        ("binance/BTCUSDT", "2024-01-01"),
        ("binance/spot/BTCUSDT", "2024-13-01"),
    ],
)
def test_choices_that_can_not_be_read_are_refused(trades: str | None, days: str | None) -> None:
    with pytest.raises(UsageError):
        choices_of(trades, days)


def test_days_are_chosen_one_by_one_or_as_a_range() -> None:
    chosen = choices_of(
        "binance/spot/BTCUSDT,deribit/future/BTC-PERPETUAL", "2024-01-01..2024-01-03"
    )

    assert len(chosen) == 6
    assert chosen[0] == DAY_OF_BTC
    assert chosen[-1] == (("deribit", "future", "BTC-PERPETUAL"), date(2024, 1, 3))
