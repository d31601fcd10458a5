"""Minutes of the mark price to candles: exact merges, of which nothing is filled."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession

from lake.schemas_of_perpetuals import MARK_KLINES, MARK_OHLCV
from tests.transform.frames import at, frame, records
from transform import mark_bars

pytestmark = pytest.mark.spark
LATER = at("2024-01-02T00:00:00")
COLUMNS = ("bar_start", "bar_end", "open", "high", "low", "close", "minutes", "is_complete")


def minute(clock: str, prices: str, **named: Any) -> dict[str, Any]:
    """Return a minute; `prices` are open, high, low, close."""
    named_prices = dict(zip(("open", "high", "low", "close"), prices.split(), strict=True))
    return {"open_time": at(clock), "bar_interval": "1m", **named_prices, **named}


def candles(
    spark: SparkSession,
    interval: str,
    *rows: dict[str, Any],
    columns: tuple[str, ...] = COLUMNS,
    until: datetime = LATER,
) -> Any:
    found = mark_bars.candles(frame(spark, MARK_KLINES, rows), until)
    assert found.columns == MARK_OHLCV.fieldNames()
    return records(found.where(f"bar_interval = '{interval}'"), *columns)


def test_five_minutes_are_one_candle_exact_to_the_last_digit(spark: SparkSession) -> None:
    rows = [
        minute("00:04:00", "10.00000004 11 9 10.00000009"),
        minute("00:00:00", "10.00000001 10.5 9.5 10.2"),
        minute("00:01:00", "10.2 12.00000001 10 10.1"),
        minute("00:02:00", "10.1 10.1 8.99999999 9"),
        minute("00:03:00", "9 9 9 9"),
        minute("00:05:00", "7 7 7 7"),
    ]

    assert candles(spark, "5m", *rows)[0] == (
        *("2024-01-01T00:00:00", "2024-01-01T00:05:00"),
        *("10.00000001", "12.00000001", "8.99999999", "10.00000009"),
        *(5, True),
    )
    assert candles(spark, "1d", *rows, columns=("open", "close", "minutes", "is_complete")) == [
        ("10.00000001", "7", 6, False)
    ]


def test_what_has_not_ended_is_not_there(spark: SparkSession) -> None:
    rows = [minute("00:00:00", "1 1 1 1"), minute("00:01:00", "2 2 2 2")]

    starts = ("bar_start",)
    until = at("00:01:59.999")
    assert candles(spark, "1m", *rows, columns=starts, until=until) == [("2024-01-01T00:00:00",)]
    assert candles(spark, "5m", *rows, columns=starts, until=at("00:05:00")) == [
        ("2024-01-01T00:00:00",)
    ]


def test_rest_stands_before_the_archive_and_a_difference_is_a_dispute(spark: SparkSession) -> None:
    rows = [
        minute("00:00:00", "1 1 1 1", source="archive"),
        minute("00:00:00", "1 1 1 1"),
        minute("00:01:00", "2 2 2 2", source="archive"),
        minute("00:02:00", "3 3 3 3", source="archive"),
        minute("00:02:00", "4 4 4 4"),
        minute("00:02:00", "5 5 5 5", revision=1),
    ]
    columns = ("close", "source", "is_disputed")

    assert candles(spark, "1m", *rows, columns=columns) == [
        ("1", "history", False),
        ("2", "archive", False),
        ("5", "history", True),
    ]
    assert candles(spark, "5m", *rows, columns=columns) == [("5", "mixed", True)]


def test_only_minutes_on_the_grid_count(spark: SparkSession) -> None:
    rows = [
        minute("00:00:00", "1 1 1 1"),
        minute("00:00:30", "9 9 9 9", findings=["off_grid"]),
        minute("00:00:00", "8 8 8 8", bar_interval="5m"),
    ]

    assert candles(spark, "5m", *rows, columns=("high", "minutes")) == [("1", 1)]
