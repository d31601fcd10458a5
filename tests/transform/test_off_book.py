"""Numbers that futures' trades skip: what aggregates cover was lost, what lies between was not."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import SparkSession

from lake import schemas
from tests.transform.frames import LONG_AGO, frame, records
from transform import off_book

pytestmark = pytest.mark.spark

USDM = {"kind": "usdm"}
OTHER = USDM | {"instrument": "ETHUSDT", "instrument_uid": "ETHUSDT"}
HOLE = ("instrument", "first_id", "last_id", "first_trade_seq", "cause", "state")


def aggregate(agg_id: int, first: int, last: int, **of: str) -> dict[str, Any]:
    named = {"agg_id": agg_id, "first_trade_seq": first, "last_trade_seq": last}
    return {**USDM, **named, "trade_timestamp": LONG_AGO, **of}


def hole(first: int, last: int, cause: str = "off_book", **of: str) -> dict[str, Any]:
    state = {"off_book": "assumed", "quarantined": "open"}[cause]
    ids = {"first_id": first, "last_id": last, "first_trade_seq": first, "last_trade_seq": last}
    return {
        **USDM,
        "dataset": "trades",
        "entry": "hole",
        "cause": cause,
        "state": state,
        **ids,
        **of,
    }


def weighed(
    spark: SparkSession, holes: list[dict[str, Any]], aggregates: list[dict[str, Any]]
) -> list[tuple[Any, ...]]:
    told = off_book.weighed(
        frame(spark, schemas.CONTINUITY, holes), frame(spark, schemas.AGG_TRADES, aggregates)
    )
    assert told.columns == schemas.CONTINUITY.fieldNames()
    return records(told, *HOLE)


def test_aggregates_tell_which_numbers_are_of_the_book(spark: SparkSession) -> None:
    aggregates = [
        aggregate(1, 10, 12),
        aggregate(2, 15, 20),
        # the third is not held: it may have any of 21 to 24
        aggregate(4, 25, 26),
        aggregate(5, 27, 27),
        aggregate(6, 29, 29),
        aggregate(2, 11, 99, **OTHER),
    ]
    holes = [
        hole(9, 9),
        hole(11, 11),
        hole(13, 14),
        hole(16, 30),
        hole(13, 13, "quarantined"),
        hole(10, 10, **OTHER),
    ]

    assert weighed(spark, holes, aggregates) == [
        ("BTCUSDT", 11, 11, 11, "left_out", "open"),
        ("BTCUSDT", 13, 13, 13, "quarantined", "open"),
        ("BTCUSDT", 13, 14, 13, "off_book", "proved"),
        ("BTCUSDT", 16, 20, 16, "left_out", "open"),
        ("BTCUSDT", 21, 24, 21, "off_book", "assumed"),
        ("BTCUSDT", 25, 27, 25, "left_out", "open"),
        ("BTCUSDT", 28, 28, 28, "off_book", "proved"),
        ("BTCUSDT", 29, 29, 29, "left_out", "open"),
        ("BTCUSDT", 30, 30, 30, "off_book", "assumed"),
        ("BTCUSDT", 9, 9, 9, "off_book", "assumed"),
        ("ETHUSDT", 10, 10, 10, "off_book", "assumed"),
    ]


def test_without_aggregates_all_stays_assumed(spark: SparkSession) -> None:
    assert weighed(spark, [hole(3, 4)], []) == [("BTCUSDT", 3, 4, 3, "off_book", "assumed")]
