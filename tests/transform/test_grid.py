"""The grid of bars."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

from tests.transform.frames import at
from transform import grid

pytestmark = pytest.mark.spark


def test_a_moment_falls_into_the_bar_that_starts_at_or_before_it(spark: SparkSession) -> None:
    moments = [(at("2024-02-29T23:59:59.999999"),), (at("2024-03-01T00:00:00"),)]
    frame = spark.createDataFrame(moments, "moment timestamp")

    starts = frame.select(
        *[
            F.date_format(grid.bar_start(F.col("moment"), name), "MM-dd HH:mm").alias(name)
            for name in grid.INTERVALS
        ]
    ).collect()

    assert [tuple(row) for row in starts] == [
        ("02-29 23:59", "02-29 23:55", "02-29 23:45", "02-29 23:00", "02-29 20:00", "02-29 00:00"),
        ("03-01 00:00",) * 6,
    ]


def test_a_bar_ends_where_the_next_starts(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(at("20:00:00"),)], "start timestamp")

    end = grid.bar_end(F.col("start"), "4h")

    assert frame.select(F.date_format(end, "yyyy-MM-dd HH:mm")).collect()[0][0] == (
        "2024-01-02 00:00"
    )


def test_bars_and_partitions_are_the_same_in_every_time_zone(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(at("2023-12-31T23:30:00"),)], "moment timestamp")
    start = grid.bar_start(F.col("moment"), "1d")
    columns = (F.unix_seconds(start), grid.year(start), grid.month(start))

    seen = set()
    for zone in ("UTC", "America/New_York", "Asia/Tokyo"):
        spark.conf.set("spark.sql.session.timeZone", zone)
        try:
            seen.add(tuple(frame.select(*columns).collect()[0]))
        finally:
            spark.conf.set("spark.sql.session.timeZone", "UTC")

    assert seen == {(1703980800, 2023, 12)}
