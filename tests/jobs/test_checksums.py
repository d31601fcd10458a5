"""The checksum of rows is one number, whether Spark hashes them or arrays do."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from jobs.reconciliation.settled.lanes import hashed
from lake.frames import local_frame
from transform.reconciliation import checksums

pytestmark = pytest.mark.spark

SCHEMA = T.StructType(
    [
        T.StructField("id", T.LongType()),
        T.StructField("price", T.DecimalType(20, 10)),
        T.StructField("amount", T.DecimalType(38, 18)),
        T.StructField("side", T.StringType()),
    ]
)
ROWS = [
    (1, Decimal("42000.1234567891"), Decimal("0.000000000000000001"), "buy"),
    (2**62, Decimal("-0.5"), Decimal("99999999999999999999.999999999999999999"), "sell"),
    (-3, Decimal(0), None, None),
]
NAMES = SCHEMA.fieldNames()


def test_arrays_hash_as_spark_does(spark: SparkSession) -> None:
    columns = [[1, -5, 2**62], [0, -1, 7], [-(2**63), 2**63 - 1, 3]]
    schema = T.StructType([T.StructField(f"of_{at}", T.LongType()) for at in range(3)])
    frame = local_frame(spark, list(zip(*columns, strict=True)), schema)
    by_spark = [row[0] for row in frame.select(F.xxhash64(*frame.columns)).collect()]
    assert hashed([np.array(column) for column in columns]).tolist() == by_spark


def test_a_checksum_is_the_sum_of_the_lanes_of_its_rows(spark: SparkSession) -> None:
    frame = local_frame(spark, ROWS[:1], SCHEMA)
    (text,) = frame.select(F.xxhash64(F.lit("buy"))).head(1)[0]
    longs = [1, 42000, 1234567891, 0, 1, text]
    first = hashed([np.array([number]) for number in longs])
    lanes = [int(lane[0]) for lane in (first, hashed([first]))]
    assert checksum(spark, ROWS[:1]) == checksums.written(lanes)


def test_order_is_nothing_and_every_value_counts(spark: SparkSession) -> None:
    whole = checksum(spark, ROWS)
    assert checksum(spark, ROWS[::-1]) == whole
    seen = {whole, checksum(spark, ROWS[:2]), checksum(spark, [])}
    for changed in (
        (1, Decimal("42000.1234567892"), *ROWS[0][2:]),
        (1, Decimal("42001.1234567891"), *ROWS[0][2:]),
        (*ROWS[0][:3], "sell"),
    ):
        seen.add(checksum(spark, [changed, *ROWS[1:]]))
    # a number that no quantity has still counts
    huge = (*ROWS[1][:2], Decimal("99999999999999999998.999999999999999999"), "sell")
    seen.add(checksum(spark, [ROWS[0], huge, ROWS[2]]))
    assert len(seen) == 7
    assert checksum(spark, []) == "0" * 32


def test_two_sets_that_share_no_row_add_up(spark: SparkSession) -> None:
    parts = [(checksum(spark, ROWS[:1]),), (checksum(spark, ROWS[1:]),)]
    frame = local_frame(spark, parts, T.StructType([T.StructField("hash", T.StringType())]))
    (added,) = frame.agg(checksums.added("hash")).head(1)[0]
    assert added == checksum(spark, ROWS)


def checksum(spark: SparkSession, rows: Sequence[tuple[object, ...]]) -> str:
    frame = local_frame(spark, rows, SCHEMA)
    return str(frame.agg(checksums.checksum(frame, NAMES, F.lit(True))).head(1)[0][0])
