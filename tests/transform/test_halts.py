"""Halts, read from what the exchange's own bars skip."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T  # noqa: N812

from lake import schemas
from tests.transform.frames import at, frame, records
from transform import halts

pytestmark = pytest.mark.spark

LANDED = T.StructType(
    [
        *schemas.IDENTITY,
        schemas.KLINES["bar_interval"],
        schemas.KLINES["source"],
        T.StructField("landed_from", T.TimestampType()),
        T.StructField("landed_until", T.TimestampType()),
    ]
)


def kline(opened: str, closed: str, interval: str = "5m", **more: Any) -> dict[str, Any]:
    return {
        "bar_interval": interval,
        "open_time": at(opened),
        "close_time": at(closed) + timedelta(milliseconds=999),
        **more,
    }


def found(spark: SparkSession, klines: list[Any], *landed: tuple[str, str, str]) -> DataFrame:
    ranges = [
        {"bar_interval": interval, "landed_from": at(since), "landed_until": at(until)}
        for interval, since, until in landed
    ]
    return halts.from_klines(frame(spark, schemas.KLINES, klines), frame(spark, LANDED, ranges))


def test_the_halt_of_2023_03_24(spark: SparkSession) -> None:
    klines = [
        kline("2023-03-24T12:30:00", "2023-03-24T12:34:59"),
        kline("2023-03-24T12:35:00", "2023-03-24T12:39:41", findings=["cut_short"]),
        kline("2023-03-24T14:00:00", "2023-03-24T14:04:59"),
    ]

    made = found(spark, klines, ("5m", "2023-03-24T00:00:00", "2023-03-25T00:00:00"))

    assert records(made, "halted_from", "halted_until") == [
        ("2023-03-24T12:39:41.999000", "2023-03-24T14:00:00")
    ]


def test_the_bars_off_the_grid_of_2018_02_09_are_no_halts(spark: SparkSession) -> None:
    odd = {"findings": ["off_grid", "overlong"]}
    klines = [
        kline("2018-02-08T00:00:00", "2018-02-08T00:28:14", "1h", findings=["cut_short"]),
        kline("2018-02-09T08:00:00", "2018-02-09T08:59:59", "1h"),
        kline("2018-02-09T09:00:00", "2018-02-09T09:59:59", "1h"),
        kline("2018-02-09T09:28:14", "2018-02-09T10:28:14", "1h", **odd),
        kline("2018-02-09T10:28:14", "2018-02-09T11:28:14", "1h", **odd),
    ]

    made = found(spark, klines, ("1h", "2018-02-01T00:00:00", "2018-03-01T00:00:00"))

    assert records(made, "halted_from", "halted_until") == [
        ("2018-02-08T00:28:14.999000", "2018-02-09T08:00:00")
    ]


def test_a_gap_that_was_not_asked_for_is_no_halt(spark: SparkSession) -> None:
    klines = [
        kline("00:00:00", "00:04:59"),
        kline("00:15:00", "00:19:59"),
        kline("00:40:00", "00:44:59"),
    ]

    made = found(
        spark, klines, ("5m", "00:00", "00:10"), ("5m", "00:10", "00:20"), ("5m", "00:40", "00:45")
    )

    assert records(made, "halted_from", "halted_until") == [
        ("2024-01-01T00:05:00", "2024-01-01T00:15:00")
    ]


def test_intervals_and_sources_do_not_fill_each_others_gaps(spark: SparkSession) -> None:
    klines = [
        kline("00:00:00", "00:04:59"),
        kline("00:05:00", "00:09:59", source="archive"),
        kline("00:05:00", "00:05:59", "1m"),
        kline("00:10:00", "00:14:59"),
    ]

    made = found(spark, klines, ("5m", "00:00", "01:00"))

    assert records(made, "halted_from", "halted_until") == [
        ("2024-01-01T00:05:00", "2024-01-01T00:10:00")
    ]
