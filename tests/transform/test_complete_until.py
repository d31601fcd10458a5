"""The complete-until mark: the end of the newest minute that is proved complete."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession

from lake import schemas
from tests.transform.frames import at, frame
from transform import proof

pytestmark = pytest.mark.spark


def entry(role: str, since: str, until: str, **more: Any) -> dict[str, Any]:
    named = {"dataset": "trades", "entry": role, "state": "open" if role == "hole" else "proved"}
    return {**named, "proved_from": at(since), "proved_until": at(until), **more}


def mark(
    spark: SparkSession, ledger: list[dict[str, Any]], *disputed: str, until: str = "12:00"
) -> str | None:
    conflicts = [{"dataset": "trades", "bar_minute": at(one), "state": "open"} for one in disputed]
    found = proof.complete_until(
        frame(spark, schemas.CONTINUITY, ledger),
        frame(spark, schemas.CONFLICTS, conflicts),
        at(until),
    ).collect()
    if not found:
        return None
    ((*listing, moment),) = found
    assert listing == ["binance", "spot", "BTCUSDT"]
    assert isinstance(moment, datetime)
    return f"{moment:%H:%M:%S}"


def test_the_mark_is_the_end_of_the_newest_run_in_whole_minutes(spark: SparkSession) -> None:
    older = entry("held", "00:00", "01:00")

    assert mark(spark, [older, entry("held", "02:00", "03:00:59")]) == "03:00:00"
    assert mark(spark, [older, entry("held", "00:00", "03:00")], until="02:59:59") == "02:59:00"


def test_the_mark_passes_no_minute_that_a_hole_or_a_conflict_leaves_open(
    spark: SparkSession,
) -> None:
    run = entry("held", "00:00", "01:00")
    last = entry("hole", "00:59:59.999", "01:00")

    assert mark(spark, [run, last]) == "00:59:00"
    assert mark(spark, [run, last, entry("hole", "00:50:30", "00:58:10")]) == "00:50:00"
    assert mark(spark, [run, last, entry("hole", "00:50:30", "00:57:10")]) == "00:59:00"
    assert mark(spark, [run, {**last, "state": "proved"}]) == "01:00:00"
    assert mark(spark, [run], "00:59") == "00:59:00"
    assert mark(spark, [run], "00:58") == "01:00:00"


def test_a_whole_minute_must_lie_in_a_run(spark: SparkSession) -> None:
    assert mark(spark, [entry("held", "00:00:30", "00:01:30")]) is None
    assert mark(spark, [entry("held", "00:00:30", "00:02")]) == "00:02:00"
    assert mark(spark, [entry("held", "00:00", "00:05"), entry("hole", "00:00", "00:05")]) is None


def test_either_kind_of_prints_proves_a_minute(spark: SparkSession) -> None:
    trades = [entry("held", "00:00", "01:00"), entry("hole", "00:30", "01:00")]
    aggregates = entry("held", "00:00", "00:45", dataset="agg_trades")

    assert mark(spark, [*trades, aggregates]) == "00:45:00"
    assert mark(spark, trades) == "00:30:00"
