"""From when until when a value was the one that we knew."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import SparkSession

from lake import schemas
from tests.transform.frames import at, frame, records
from transform import as_of

pytestmark = pytest.mark.spark

INTERVAL = ("known_from", "known_until")


def revision(bar: str, number: int, known: str) -> dict[str, Any]:
    return {
        "instrument": bar,
        "instrument_uid": bar,
        "bar_interval": "1h",
        "bar_start": at("00:00"),
        "bar_end": at("01:00"),
        "revision": number,
        "knowledge_timestamp": at(known),
    }


def test_a_bar_is_known_from_its_end_at_the_earliest_until_a_later_revision_is(
    spark: SparkSession,
) -> None:
    rows = [
        revision("QUIET", 0, "00:40"),
        revision("REVISED", 0, "01:01"),
        revision("REVISED", 1, "02:00"),
        revision("REVISED", 2, "05:00"),
        revision("OUTDONE", 0, "01:01"),
        revision("OUTDONE", 1, "09:00"),
        revision("OUTDONE", 2, "07:00"),
    ]

    known = as_of.bars(frame(spark, schemas.OHLCV_REVISIONS, rows))

    assert records(known, "instrument", "revision", *INTERVAL) == [
        ("OUTDONE", 0, "2024-01-01T01:01:00", "2024-01-01T07:00:00"),
        ("OUTDONE", 1, "2024-01-01T09:00:00", "2024-01-01T07:00:00"),
        ("OUTDONE", 2, "2024-01-01T07:00:00", None),
        ("QUIET", 0, "2024-01-01T01:00:00", None),
        ("REVISED", 0, "2024-01-01T01:01:00", "2024-01-01T02:00:00"),
        ("REVISED", 1, "2024-01-01T02:00:00", "2024-01-01T05:00:00"),
        ("REVISED", 2, "2024-01-01T05:00:00", None),
    ]


def trade(seq: int, price: str, known: str, **more: Any) -> dict[str, Any]:
    return {"trade_seq": seq, "price": price, "knowledge_timestamp": at(known), **more}


def test_a_corrected_trade_stands_from_the_decision_on_and_the_one_before_until_then(
    spark: SparkSession,
) -> None:
    """Trade 2 was corrected twice, the second time after a run that was killed and run again."""
    held = [trade(1, "10", "00:01"), trade(2, "22", "00:03")]
    replaced = [
        trade(2, "20", "00:01", replaced_at=at("06:00")),
        trade(2, "21", "00:02", replaced_at=at("08:00")),
        trade(2, "21", "00:02", replaced_at=at("09:00")),
    ]

    known = as_of.prints(
        frame(spark, schemas.TRADES, held),
        frame(spark, schemas.REPLACED_TRADES, replaced),
        ("exchange", "kind", "instrument_uid", "trade_seq"),
    )

    assert records(known, "trade_seq", "price", *INTERVAL) == [
        (1, "10", "2024-01-01T00:01:00", None),
        (2, "20", "2024-01-01T00:01:00", "2024-01-01T06:00:00"),
        (2, "21", "2024-01-01T06:00:00", "2024-01-01T08:00:00"),
        (2, "21", "2024-01-01T08:00:00", "2024-01-01T09:00:00"),
        (2, "22", "2024-01-01T09:00:00", None),
    ]
    assert known.columns == [*schemas.TRADES.fieldNames(), *INTERVAL]
