"""Polled index prices and newest bars from a running replay exchange to silver and SQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from extract.replay.exchange import ReplayExchange
from extract.replay.faults import Fault
from jobs import catalog, pipeline, rebuild, silver
from jobs.context import Context
from jobs.options import only_polled, select
from lake.bronze import BronzeName, Coverage, Envelope, to_file
from lake.clock import to_millis
from lake.errors import UsageError
from lake.settings import Settings
from lake.tables import OPS_QUARANTINE, SILVER_INDEX_PRICES, SILVER_KLINES
from tests.extract.asking import bodies
from tests.extract.conftest import SleepingClock
from tests.extract.moving_exchange import moving_exchange, polled
from tests.jobs.conftest import OpenLake
from tests.jobs.landed import held

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(1500)]

START = datetime(2024, 8, 9, 0, 5, 20, tzinfo=UTC)
INDEXES = ("btc_usd", "eth_usd")
BTC = "deribit/future/BTC-PERPETUAL"


def settings_of(context: Context, exchange: ReplayExchange) -> Settings:
    values = context.settings.model_dump()
    for name, url in exchange.urls.settings().items():
        *tables, last = name.split(".")
        place = values
        for table in tables:
            place = place[table]
        place[last] = url
    return Settings.model_validate(values)


def listen(context: Context, prices: Sequence[tuple[datetime, str]], sequence: int = 1) -> None:
    """Land frames of btc_usd as a live collector does: moments, and prices as JSON texts."""
    of: dict[str, Any] = {"exchange": "deribit", "kind": "index", "dataset": "index_prices"}
    times = [to_millis(moment) for moment, _ in prices]
    frames = [
        '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"deribit_price_index.btc_usd",'
        f'"data":{{"timestamp":{time},"price":{price},"index_name":"btc_usd"}}}}}}'
        for time, (_, price) in zip(times, prices, strict=True)
    ]
    envelopes = [
        Envelope(
            **of,
            instrument="btc_usd",
            mode="live",
            region="test",
            request={},
            status=0,
            end_download_timestamp=START + timedelta(hours=1),
            knowledge_timestamp=START + timedelta(hours=1, seconds=sequence),
            run_id="run",
            sequence=place,
            body=frame.encode(),
        )
        for place, frame in enumerate(frames, start=1)
    ]
    held_of = Coverage(min(times), max(times), min(times), max(times) + 1)
    name = BronzeName(**of, instrument="btc_usd", mode="live", coverage=held_of)
    assert context.store.create(name.key, to_file(envelopes))


def minutes(context: Context, where: str) -> list[tuple[str, int, Decimal]]:
    """Return index, minute and price of each row."""
    found = held(context, SILVER_INDEX_PRICES, where)
    return sorted((row["instrument"], row["minute"].minute, row["price"]) for row in found)


@pytest.fixture(scope="module")
def lake(open_lake: OpenLake) -> Context:
    """Two minutes polled, two missed, one polled; a channel that was heard in one of the missed."""
    context, clock = open_lake(), SleepingClock(START)
    with moving_exchange(clock, START) as exchange:
        settings = settings_of(context, exchange)
        polled(settings, context.store, clock, indexes=INDEXES, bars=(BTC,), times=2)
        clock.sleep(180)
        polled(settings, context.store, clock, indexes=INDEXES, bars=(BTC,))
    at = START.replace(minute=6, second=0)
    heard = [(at + timedelta(seconds=second), f"{60_000 + second}.5") for second in (1, 58, 30)]
    listen(context, [*heard, (at + timedelta(seconds=59), "0.0")])
    pipeline.refine(context)
    return context


def test_each_minute_that_was_polled_is_a_row_of_what_was_sent(lake: Context) -> None:
    sent = []
    for key, pages in bodies(lake.store, "bronze/index_prices/").items():
        for name, page in zip(INDEXES, pages, strict=False):
            document = json.loads(page, parse_float=str)
            if "~history~" in key:
                minute = datetime.fromtimestamp(document["usOut"] // 1_000_000, UTC).minute - 1
                sent.append((name, minute, Decimal(document["result"]["index_price"])))

    assert [minute for _, minute, _ in sorted(sent)] == [4, 5, 8, 4, 5, 8]
    assert minutes(lake, "source = 'history'") == sorted(sent)


def test_of_a_channel_the_last_price_of_the_minute_stands_and_a_zero_is_quarantined(
    lake: Context,
) -> None:
    assert minutes(lake, "source = 'live'") == [("btc_usd", 6, Decimal("60058.5"))]
    (refused,) = held(lake, OPS_QUARANTINE, "dataset = 'index_prices'")
    assert refused["reasons"] == ["price_not_positive"]


def test_a_minute_that_nobody_has_is_missing_in_sql(lake: Context) -> None:
    catalog.register(lake)
    statement = "select instrument, minute(minute) as at from ops.missing_minutes order by all"

    found = lake.spark.sql(catalog.with_views(lake, statement)).collect()

    assert [tuple(row) for row in found] == [("btc_usd", 7), ("eth_usd", 6), ("eth_usd", 7)]


def test_bars_missed_are_there_and_prices_missed_are_not(lake: Context) -> None:
    found = held(lake, SILVER_KLINES)

    assert sorted(row["open_time"].minute for row in found) == [4, 5, 6, 7, 8]


def test_what_is_lost_or_wrong_is_built_again(lake: Context) -> None:
    whole = sorted(map(str, held(lake, SILVER_INDEX_PRICES)))
    lake.tables.delete(SILVER_INDEX_PRICES, "minute(minute) = 5 or source = 'live'")

    window = {"start": "2024-08-09T00:04:00Z", "end": "2024-08-09T00:09:00Z"}
    rebuild.run(lake, SILVER_INDEX_PRICES.name, select(lake.settings, **window))

    assert sorted(map(str, held(lake, SILVER_INDEX_PRICES))) == whole


def test_a_price_that_comes_later_and_is_nearer_takes_the_place(open_lake: OpenLake) -> None:
    context = open_lake()
    end = START.replace(second=59)
    for sequence, second in enumerate((10, 50, 30)):
        heard = [(START.replace(second=second), f"{second}.5"), (end, "-1")]
        listen(context, heard[:1], sequence)
        silver.consume(context, "index_prices")
    files = sorted(Path(context.settings.lake.root, "silver/index_prices").rglob("*.parquet"))

    silver.consume(context, "index_prices")

    assert minutes(context, "true") == [("btc_usd", 5, Decimal("50.5"))]
    again = sorted(Path(context.settings.lake.root, "silver/index_prices").rglob("*.parquet"))
    assert again == files


def test_a_bar_that_came_too_early_is_replaced_by_a_revision(open_lake: OpenLake) -> None:
    context, clock = open_lake(), SleepingClock(START)
    with moving_exchange(clock, START) as exchange:
        # the bar is asked for 4.5 s before its end, and the answer claims to be 1.5 s after it
        exchange.order(
            Fault("clock_skew", path="*/get_time", seconds=48),
            Fault("clock_skew", path="*/get_time", seconds=8),
            Fault("clock_skew", path="*/get_tradingview_chart_data", seconds=6),
        )
        polled(settings_of(context, exchange), context.store, clock, bars=(BTC,))

    silver.consume(context, "klines")

    early, final = sorted(held(context, SILVER_KLINES), key=_revision)
    assert (early["revision"], final["revision"]) == (0, 1)
    assert early["open_time"] == final["open_time"] == datetime(2024, 8, 9, 0, 5)
    assert early["volume_sent"] < final["volume_sent"]
    assert "early" in early["bronze_file"]
    assert "early" not in final["bronze_file"]


def test_index_prices_have_no_window_to_extract(open_lake: OpenLake) -> None:
    settings = open_lake().settings

    with pytest.raises(UsageError, match="candlelake extract minute"):
        select(settings, datasets="trades,index_prices")

    assert only_polled("index_prices")
    assert not only_polled("trades,index_prices")
    assert not only_polled(None)


def _revision(row: dict[str, Any]) -> int:
    return int(row["revision"])
