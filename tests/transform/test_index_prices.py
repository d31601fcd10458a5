"""Index prices, polled and listened to: exact to the last digit, one a minute, or quarantined."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession

from extract.replay.deribit_market import index_price
from extract.replay.streams.deribit_market_sources import IndexPrice
from lake.schemas_of_indexes import INDEX_PRICES
from tests.rows import line, parsed, refused
from tests.transform.frames import frame, records
from transform.index_minutes import missing, nearer, nearest

pytestmark = pytest.mark.spark

#: 2024-08-09T00:05:03.612345Z, 3.6 seconds after the minute of 00:04.
ANSWERED = 1_723_161_903_612_345
MINUTE = datetime(2024, 8, 9, 0, 4)
OF = {"exchange": "deribit", "kind": "index", "dataset": "index_prices"}


def answer(price: str = "61640.55", *, out: int | str = ANSWERED, **named: Any) -> str:
    """An answer as the server sends it; `price` and `out` are JSON texts."""
    body = (
        f'{{"jsonrpc":"2.0","result":{{"index_price":{price},"estimated_delivery_price":61640.5}},'
        f'"usIn":{ANSWERED - 137},"usOut":{out},"usDiff":137,"testnet":false}}'
    )
    request = {"params": {"index_name": "btc_usd"}}
    return line(body, **{**OF, "instrument": "btc_usd", "request": request, **named})


def heard(price: str, time_ms: int, index: str = "btc_usd", **named: Any) -> str:
    """A frame of the websocket's channel."""
    data = f'{{"timestamp":{time_ms},"price":{price},"index_name":"{index}"}}'
    body = (
        '{"jsonrpc":"2.0","method":"subscription","params":'
        f'{{"channel":"deribit_price_index.btc_usd","data":{data}}}}}'
    )
    return line(body, **{**OF, "instrument": "", "mode": "live", **named})


def plain(row: Row) -> tuple[Any, ...]:
    names = ("instrument", "minute", "price", "exchange_timestamp", "timestamp_source")
    return tuple(row[name] for name in (*names, "price_source", "source"))


def test_an_answer_stands_for_the_minute_that_had_ended(spark: SparkSession) -> None:
    valid, rejected = parsed(spark, "index_prices", answer("61640.5512345678"))

    assert rejected == []
    (row,) = valid
    polled = ("server_answer_time", "get_index_price", "history")
    assert plain(row) == ("btc_usd", MINUTE, Decimal("61640.5512345678"), ANSWERED, *polled)
    assert row["price_timestamp"] == datetime(2024, 8, 9, 0, 5, 3, 612345)
    assert row["estimated_delivery_price"] == Decimal("61640.5")
    assert (row["kind"], row["instrument_uid"]) == ("index", "btc_usd")
    assert (row["year"], row["month"], row["day"]) == (2024, 8, 9)


def test_a_frame_stands_for_the_minute_of_its_own_time(spark: SparkSession) -> None:
    last = ANSWERED // 1000 - 3_613

    valid, rejected = parsed(spark, "index_prices", heard("61640.55", last))

    assert rejected == []
    (row,) = valid
    listened = ("exchange", "deribit_price_index", "live")
    assert plain(row) == ("btc_usd", MINUTE, Decimal("61640.55"), last, *listened)
    assert row["price_timestamp"] == datetime(2024, 8, 9, 0, 4, 59, 999000)
    assert row["estimated_delivery_price"] is None


def test_the_first_minute_of_a_day_is_polled_on_that_day_and_midnight_on_the_one_before(
    spark: SparkSession,
) -> None:
    midnight = 1_723_161_600_000_000
    lines = (answer(out=midnight), answer(out=midnight + 60_000_000, sequence=2))

    valid, _ = parsed(spark, "index_prices", *lines)

    assert [(row["minute"], row["day"]) for row in valid] == [
        (datetime(2024, 8, 8, 23, 59), 8),
        (datetime(2024, 8, 9), 9),
    ]


def test_what_does_not_fit_is_refused_and_never_rounded(spark: SparkSession) -> None:
    odd = {
        "price_not_positive": answer("0"),
        "price_exceeds_decimal_20_10": answer("61640.55123456789"),
        "price_not_a_number": answer('"61640.55"'),
        "price_missing": answer("null"),
        "price_time_missing": answer(out="null"),
        "price_time_in_the_future": answer(out=2_000_000_000_000_000),
        "time_unit_unexpected": answer(out=ANSWERED // 1000),
        "instrument_differs": answer(instrument="eth_usd"),
        "index_name_odd": answer(instrument="BTC-USD", request={}),
        "kind_unknown": answer(kind="future"),
    }
    lines = [
        json.dumps({**json.loads(text), "sequence": place})
        for place, text in enumerate(odd.values(), start=1)
    ]

    valid, rejected = parsed(spark, "index_prices", *lines, answer(sequence=99))

    assert len(valid) == 1
    assert [reasons for _, reasons in refused(rejected)] == [[name] for name in odd]
    assert "61640.55123456789" in rejected[1]["payload"]


def test_a_frame_of_another_index_and_a_negative_price_are_refused(spark: SparkSession) -> None:
    time = ANSWERED // 1000
    error = line('{"jsonrpc":"2.0","error":{"code":13020,"message":"not_found"}}', **OF, sequence=4)
    lines = (
        heard("61640.55", time, "eth_usd"),
        heard("-61640.55", time, sequence=2),
        heard("61640.55", ANSWERED, sequence=3),
        error,
        line("[]", **OF, sequence=5),
    )

    valid, rejected = parsed(spark, "index_prices", *lines)

    assert valid == []
    assert [row["reasons"] for row in rejected] == [
        ["instrument_differs"],
        ["price_not_positive"],
        ["time_unit_unexpected"],
        ["answer_is_an_error"],
        ["answer_not_understood"],
    ]


def test_frames_as_the_replay_exchange_sends_them_are_whole(spark: SparkSession) -> None:
    until = ANSWERED // 1000
    frames = IndexPrice("deribit_price_index.btc_usd", "btc_usd").payloads(until - 65_000, until)
    lines = [
        line(frame, **{**OF, "instrument": "btc_usd", "mode": "live", "status": 0}, sequence=place)
        for place, frame in enumerate(frames, start=1)
    ]

    valid, rejected = parsed(spark, "index_prices", *lines)

    assert rejected == []
    assert [row["price"] for row in valid] == [
        index_price("btc_usd", row["exchange_timestamp"]) for row in valid
    ]
    assert [row["minute"].minute for row in valid].count(4) == 60


def row(seconds: int, price: int, source: str = "live", **named: Any) -> dict[str, Any]:
    """A price so many seconds after the minute's start."""
    minute = MINUTE.replace(tzinfo=UTC)
    by = "deribit_price_index" if source == "live" else "get_index_price"
    return {
        "exchange": "deribit",
        "kind": "index",
        "instrument": "btc_usd",
        "instrument_uid": "btc_usd",
        "minute": minute,
        "price": str(price),
        "source": source,
        "price_timestamp": minute + timedelta(seconds=seconds),
        "price_source": by,
        **named,
    }


def test_the_price_nearest_to_the_end_stands_whatever_the_batches(spark: SparkSession) -> None:
    seen = [row(second, second) for second in (0, 59, 30)]
    seen += [row(second, second, "history") for second in (80, 63, 110)]
    prices = [frame(spark, INDEX_PRICES, [one]) for one in seen]

    whole = nearest(frame(spark, INDEX_PRICES, seen))
    held = frame(spark, INDEX_PRICES, [])
    for batch in (prices[5], prices[1].unionByName(prices[4]), prices[0].unionByName(prices[3])):
        better = nearer(batch, held)
        held = nearest(held.unionByName(better))

    assert records(whole, "source", "price") == [("history", "63"), ("live", "59")]
    assert records(held, "source", "price") == records(whole, "source", "price")
    assert nearer(frame(spark, INDEX_PRICES, seen), held).isEmpty()


def test_a_minute_without_a_price_of_any_source_is_missing(spark: SparkSession) -> None:
    def of(index: str, minute: int, source: str) -> dict[str, Any]:
        moment = MINUTE.replace(tzinfo=UTC, minute=minute)
        named = {"instrument": index, "instrument_uid": index, "minute": moment}
        return row(63, 1, source, **named)

    held = [of("btc_usd", minute, "history") for minute in (4, 5, 8)]
    held += [of("btc_usd", 6, "live"), of("eth_usd", 5, "history"), of("eth_usd", 6, "history")]

    found = missing(frame(spark, INDEX_PRICES, held))

    assert records(found, "instrument", "minute") == [
        ("btc_usd", "2024-08-09T00:07:00"),
        ("eth_usd", "2024-08-09T00:07:00"),
        ("eth_usd", "2024-08-09T00:08:00"),
    ]
