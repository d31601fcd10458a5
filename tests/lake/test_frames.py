"""Rows that are read again and again: what is taken stays as it was, few or many."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

from lake.frames import taken

pytestmark = [pytest.mark.spark]

NOON = datetime(2025, 3, 25, 12, tzinfo=UTC)


def test_rows_in_hand_keep_every_digit_and_are_tied_to_no_table(
    spark: SparkSession, tmp_path: Path
) -> None:
    table = str(tmp_path / "table")
    at = F.timestamp_micros(F.lit(int(NOON.timestamp()) * 10**6 + 1)).alias("at")
    rows = spark.range(3).select("id", F.lit(Decimal("0.00000001")).alias("price"), at)
    rows.write.format("delta").save(table)
    read = spark.read.format("delta").load(table)

    with taken(read, 3) as few, taken(read, 2) as many:
        assert (few.schema, few.is_cached, many.is_cached) == (read.schema, False, True)
        assert sorted(few.collect()) == sorted(many.collect()) == sorted(rows.collect())
        rows.limit(0).write.format("delta").mode("overwrite").save(table)
        assert few.count() == 3
        assert few.select("at").first() == rows.select("at").first()
    assert not many.is_cached
