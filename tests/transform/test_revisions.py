"""What counts as a new value of a bar."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from lake import schemas
from tests.transform.frames import at, frame, records
from transform import revisions

pytestmark = pytest.mark.spark


def bar(name: str, **more: Any) -> dict[str, Any]:
    return {
        "instrument": name,
        "instrument_uid": name,
        "bar_interval": "1m",
        "bar_start": at("00:00"),
        "close": "100",
        "trade_count": 5,
        "is_complete": True,
        "built_from": "trades",
        "revision": 0,
        **more,
    }


def changes(spark: SparkSession, now: list[Any], before: list[Any]) -> DataFrame:
    of = schemas.OHLCV
    return revisions.changed(frame(spark, of, now), frame(spark, of, before), at("12:00"))


def test_each_kind_of_change_is_named_and_numbered(spark: SparkSession) -> None:
    before = [
        bar("LATE", revision=3),
        bar("CLOSED", is_complete=False),
        bar("OPENED"),
        bar("CORRECTED"),
        bar("UNPRICED", close=None, trade_count=1),
    ]
    now = [
        bar("NEW"),
        bar("LATE", trade_count=6, close="101"),
        bar("CLOSED", trade_count=6),
        bar("OPENED", is_complete=False),
        bar("CORRECTED", close="99"),
        bar("UNPRICED", trade_count=1),
    ]

    made = changes(spark, now, before)

    assert records(made, "instrument", "revision", "reason", "close") == [
        ("CLOSED", 1, "hole_closed", "100"),
        ("CORRECTED", 1, "corrected", "99"),
        ("LATE", 4, "late_trades", "101"),
        ("NEW", 0, "first_seen", "100"),
        ("OPENED", 1, "hole_opened", "100"),
        ("UNPRICED", 1, "corrected", "100"),
    ]
    assert [(f.name, f.dataType) for f in made.schema] == [
        (f.name, f.dataType) for f in schemas.OHLCV_REVISIONS
    ]


def test_a_value_is_known_when_its_trades_were_or_when_something_else_told_it(
    spark: SparkSession,
) -> None:
    """A correction of a trade that came at one o'clock, decided at noon, was not known at two."""
    before = [
        bar("LATE", knowledge_timestamp=at("01:00")),
        bar("CORRECTED", knowledge_timestamp=at("01:00")),
        bar("PROVED", knowledge_timestamp=at("01:00"), is_complete=False),
        bar("BEFORE", knowledge_timestamp=at("03:00")),
        bar("AHEAD", knowledge_timestamp=at("13:00")),
    ]
    now = [
        bar("NEW", knowledge_timestamp=at("01:00")),
        bar("LATE", knowledge_timestamp=at("02:00"), trade_count=6),
        bar("CORRECTED", knowledge_timestamp=at("02:00"), close="99"),
        bar("PROVED", knowledge_timestamp=at("01:00")),
        bar("BEFORE", knowledge_timestamp=at("02:00"), trade_count=6),
        bar("AHEAD", knowledge_timestamp=at("02:00"), close="99"),
    ]

    made = changes(spark, now, before)

    assert records(made, "instrument", "knowledge_timestamp") == [
        ("AHEAD", "2024-01-01T13:00:00"),
        ("BEFORE", "2024-01-01T12:00:00"),
        ("CORRECTED", "2024-01-01T12:00:00"),
        ("LATE", "2024-01-01T02:00:00"),
        ("NEW", "2024-01-01T01:00:00"),
        ("PROVED", "2024-01-01T12:00:00"),
    ]


def test_an_equal_bar_from_another_source_or_known_later_is_no_change(spark: SparkSession) -> None:
    before = [bar("A", revision=7), bar("B", close=None)]
    now = [
        bar("A", built_from="agg_trades", knowledge_timestamp=at("09:00")),
        bar("B", close=None),
    ]

    assert records(changes(spark, now, before), "instrument") == []
