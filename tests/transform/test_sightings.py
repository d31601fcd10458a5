"""Rows seen more than once."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession

from lake import schemas
from tests.transform.frames import at, frame, records
from transform import sightings

pytestmark = pytest.mark.spark
KEY = ("exchange", "kind", "instrument_uid", "trade_seq")


def seen(seq: int, file: str = "archive.gz", line: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "trade_seq": seq,
        "trade_id": str(seq),
        "price": "0.00000001",
        "quantity": "2",
        "trade_timestamp": at("00:01:30.123"),
        "source": "archive",
        "bronze_file": file,
        "bronze_line": line,
        **more,
    }


def held(seq: int, **more: Any) -> dict[str, Any]:
    return seen(seq, "history.gz", 9, **{"source": "history", **more})


def compared(
    spark: SparkSession, batch: list[dict[str, Any]], known: list[dict[str, Any]]
) -> sightings.Compared:
    schema = schemas.TRADES
    return sightings.compare(
        frame(spark, schema, batch), frame(spark, schema, known), "trade_seq", "trades"
    )


def test_equal_rows_of_another_source_are_runs_of_ids_by_file(spark: SparkSession) -> None:
    batch = [seen(n) for n in (4, 2, 3, 7)] + [seen(5, "b.gz"), seen(99)]
    batch.append(seen(8, source="history", region="tokyo", bronze_file="c.gz"))

    made = compared(spark, batch, [held(n) for n in range(1, 9)])

    columns = ("bronze_file", "first_id", "last_id", "rows", "source", "region", "dataset")
    assert records(made.sightings, *columns) == [
        ("archive.gz", 2, 4, 3, "archive", "local", "trades"),
        ("archive.gz", 7, 7, 1, "archive", "local", "trades"),
        ("b.gz", 5, 5, 1, "archive", "local", "trades"),
        ("c.gz", 8, 8, 1, "history", "tokyo", "trades"),
    ]
    assert made.conflicts.count() == 0
    assert made.sightings.columns == schemas.SIGHTINGS.fieldNames()


def test_the_row_itself_and_an_equal_page_again_are_neither(spark: SparkSession) -> None:
    made = compared(spark, [held(1), seen(2, "page2.gz", source="history")], [held(1), held(2)])

    assert made.sightings.count() == made.conflicts.count() == 0


def test_a_row_that_differs_is_a_conflict_with_both_contents(spark: SparkSession) -> None:
    batch = [
        seen(1, price="0.00000002"),
        seen(2, quantity="3", taker_side="sell"),
        seen(3, trade_timestamp=at("00:02:00.123")),
        seen(4, trade_timestamp=at("00:01:30.123999")),
        held(5, price="7"),
    ]

    made = compared(spark, batch, [held(n) for n in range(1, 6)]).conflicts

    assert records(made, "id", "differing", "bar_minute", "state") == [
        (1, ["price"], "2024-01-01T00:01:00", "open"),
        (2, ["quantity", "taker_side"], "2024-01-01T00:01:00", "open"),
        (3, ["trade_millisecond"], "2024-01-01T00:01:00", "open"),
        (5, ["price"], "2024-01-01T00:01:00", "open"),
    ]
    first = made.where("id = 1").collect()[0]
    assert json.loads(first.held) == {
        "price": "0.0000000100",
        "quantity": "2.00000000",
        "taker_side": "buy",
        "trade_millisecond": "1704067290123",
    }
    assert json.loads(first.seen)["price"] == "0.0000000200"
    assert (first.held_bronze_file, first.seen_bronze_file) == ("history.gz", "archive.gz")
    assert [(f.name, f.dataType) for f in made.schema] == [
        (f.name, f.dataType) for f in schemas.CONFLICTS
    ]


def test_an_aggregate_of_other_trades_is_a_conflict(spark: SparkSession) -> None:
    row = {"agg_id": 1, "first_trade_seq": 5, "last_trade_seq": 6, "source": "archive"}
    batch = frame(spark, schemas.AGG_TRADES, [row | {"last_trade_seq": 7}])
    known = frame(spark, schemas.AGG_TRADES, [row | {"source": "history"}])

    made = sightings.compare(batch, known, "agg_id", "agg_trades").conflicts

    assert records(made, "id", "differing", "dataset") == [(1, ["last_trade_seq"], "agg_trades")]


def test_a_batch_is_reduced_to_what_was_known_first(spark: SparkSession) -> None:
    batch = [
        seen(1, "b.gz", 1),
        seen(1, "a.gz", 2),
        seen(1, "a.gz", 1, price="5"),
        seen(1, "0.gz", 1, knowledge_timestamp=at("00:00:01")),
        seen(2, "a.gz", 3, price="7"),
        seen(2, "a.gz", 3, price="6"),
        seen(3, "z.gz", 3),
        seen(67, "z.gz", 3),
        seen(1, "a.gz", 9, instrument="X", instrument_uid="X"),
    ]

    made = sightings.first_by_key(frame(spark, schemas.TRADES, batch), KEY)

    columns = ("instrument_uid", "trade_seq", "bronze_file", "bronze_line", "price")
    assert records(made.first, *columns) == [
        ("BTCUSDT", 1, "a.gz", 1, "5"),
        ("BTCUSDT", 2, "a.gz", 3, "6"),
        ("BTCUSDT", 3, "z.gz", 3, "0.00000001"),
        ("BTCUSDT", 67, "z.gz", 3, "0.00000001"),
        ("X", 1, "a.gz", 9, "0.00000001"),
    ]
    assert records(made.others, *columns) == [
        ("BTCUSDT", 1, "0.gz", 1, "0.00000001"),
        ("BTCUSDT", 1, "a.gz", 2, "0.00000001"),
        ("BTCUSDT", 1, "b.gz", 1, "0.00000001"),
        ("BTCUSDT", 2, "a.gz", 3, "7"),
    ]
    assert made.first.columns == made.others.columns == schemas.TRADES.fieldNames()


def test_all_ids_of_a_block_fit_its_bits(spark: SparkSession) -> None:
    batch = frame(spark, schemas.TRADES, [seen(n) for n in range(128)])

    made = sightings.first_by_key(batch, KEY)

    assert (made.first.count(), made.others.count()) == (128, 0)
    assert made.first.agg({"price": "sum"}).collect()[0][0] == Decimal("0.00000128")
