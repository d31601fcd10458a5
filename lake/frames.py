"""A few rows of Python as a DataFrame, exactly and without a Python worker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T  # noqa: N812
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.storagelevel import StorageLevel


@contextmanager
def taken(frame: DataFrame, most: int) -> Iterator[DataFrame]:
    """Give the same rows to be read again and again: few are taken to the driver, Spark keeps many.

    `frame` has no nested columns. What Spark keeps is planned anew, which reads each table's log,
    whenever a table is written that it was read from. Rows in hand are no longer tied to any table.
    """
    kept = frame.persist(StorageLevel.MEMORY_AND_DISK)
    try:
        rows = kept.limit(most + 1).toArrow()
        if rows.num_rows > most:
            yield kept
            return
        kept.unpersist()
        yield frame.sparkSession.createDataFrame(rows, schema=frame.schema)
    finally:
        kept.unpersist()


def in_hand(frame: DataFrame) -> DataFrame:
    """Return the same rows taken to the driver: few, flat, and no longer tied to any table."""
    return frame.sparkSession.createDataFrame(frame.toArrow(), schema=frame.schema)


def local_frame(
    spark: SparkSession, rows: Sequence[Sequence[Any]], schema: T.StructType
) -> DataFrame:
    """Return the rows as a DataFrame of this schema.

    They travel as one Arrow table: decimals and microseconds stay what they are, and no Python
    worker has to be started for them. Timestamps are aware datetimes.
    """
    arrow = to_arrow_schema(schema, timestamp_utc=True)
    columns = [
        pa.array([row[place] for row in rows], type=field.type) for place, field in enumerate(arrow)
    ]
    table = pa.Table.from_arrays(columns, schema=arrow)
    return spark.createDataFrame(table, schema=schema)
