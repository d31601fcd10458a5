"""Funding rates to one current row a settlement: which source stands, and for how many hours."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import SparkSession

from lake.schemas_of_perpetuals import FUNDING_RATES, SETTLEMENTS
from tests.transform.frames import at, frame, records
from transform import settlements

pytestmark = pytest.mark.spark
COLUMNS = ("settlement_timestamp", "funding_rate", "funding_interval_hours", "interval_is")


def rate(clock: str, value: str, **named: Any) -> dict[str, Any]:
    return {"funding_timestamp": at(clock), "funding_rate": value, **named}


def current(spark: SparkSession, *rows: dict[str, Any], columns: tuple[str, ...] = COLUMNS) -> Any:
    found = settlements.current(frame(spark, FUNDING_RATES, rows))
    assert found.columns == SETTLEMENTS.fieldNames()
    return records(found, *columns)


def test_hours_come_from_the_settlement_before_where_none_are_published(
    spark: SparkSession,
) -> None:
    rows = [rate("00:00:00", "0.0001"), rate("08:00:00.005", "0.0002"), rate("12:00:00", "0.0003")]

    assert current(spark, *rows) == [
        ("2024-01-01T00:00:00", "0.0001", None, None),
        ("2024-01-01T08:00:00", "0.0002", 8, "derived"),
        ("2024-01-01T12:00:00", "0.0003", 4, "derived"),
    ]


def test_a_hole_is_not_taken_for_an_interval(spark: SparkSession) -> None:
    rows = [rate("00:00:00", "0.0001"), rate("16:00:00", "0.0002"), rate("16:30:00", "0.0003")]

    assert [row[2:] for row in current(spark, *rows)] == [(None, None)] * 3


def test_published_hours_stand_and_rest_comes_before_the_archive(spark: SparkSession) -> None:
    rows = [
        rate("00:00:00", "0.0001"),
        rate("04:00:00.010", "0.0002", mark_price="42000.5"),
        rate("04:00:00.011", "0.0002", source="archive", funding_interval_hours=8),
    ]

    assert current(spark, *rows, columns=(*COLUMNS, "mark_price", "source", "is_disputed"))[1] == (
        "2024-01-01T04:00:00",
        "0.0002",
        8,
        "published",
        "42000.5",
        "history",
        False,
    )


def test_sources_that_differ_are_a_dispute_and_the_newest_revision_stands(
    spark: SparkSession,
) -> None:
    rows = [
        rate("00:00:00", "0.0001", source="history"),
        rate("00:00:00", "0.0005", source="history", revision=1),
        rate("00:00:00", "0.0001", source="archive"),
    ]

    assert current(spark, *rows, columns=("funding_rate", "is_disputed")) == [("0.0005", True)]


def test_listings_are_apart(spark: SparkSession) -> None:
    rows = [
        rate("00:00:00", "0.0001"),
        rate("08:00:00", "0.0002", instrument="ETHUSDT", instrument_uid="ETHUSDT"),
    ]

    assert [row[2] for row in current(spark, *rows)] == [None, None]
