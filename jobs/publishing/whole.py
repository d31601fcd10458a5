"""Small tables, published whole whenever their version has changed: marks, listings, proofs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812
from sqlalchemy import Table as SqlTable

from jobs.context import Context
from lake.tables import (
    OPS_CONTINUITY,
    OPS_GATE_RESULTS,
    OPS_RECONCILIATION,
    OPS_WATERMARKS,
    SILVER_INSTRUMENTS,
    Table,
)
from serve.database import schema
from serve.database.rendering import exact_text
from serve.publishing.publisher import Publisher


def gate_results(rows: DataFrame) -> DataFrame:
    """Return of each run, table and expectation how often it was tried, and how often met."""
    return rows.groupBy("run_id", "table_name", "expectation").agg(
        F.max("severity").alias("severity"),
        F.count(F.lit(1)).alias("attempts"),
        F.count_if("success").alias("met"),
        F.sum("rows").alias("rows"),
        F.sum("rejected_rows").alias("rejected_rows"),
        F.max("checked_at").alias("checked_at"),
    )


def certificates(rows: DataFrame) -> DataFrame:
    """Return certificates with their causes as JSON."""
    return rows.withColumn("causes", F.to_json("causes"))


def as_they_are(rows: DataFrame) -> DataFrame:
    """Return the same rows."""
    return rows


#: From which table of the lake each table of the database comes, and how.
WHOLE: Mapping[str, tuple[Table, SqlTable, Callable[[DataFrame], DataFrame]]] = {
    "marks": (OPS_WATERMARKS, schema.MARKS, as_they_are),
    "listings": (SILVER_INSTRUMENTS, schema.LISTINGS, as_they_are),
    "stretches": (OPS_CONTINUITY, schema.STRETCHES, as_they_are),
    "certificates": (OPS_RECONCILIATION, schema.CERTIFICATES, certificates),
    "gate_results": (OPS_GATE_RESULTS, schema.GATE_RESULTS, gate_results),
}


async def publish(
    publisher: Publisher, context: Context, held: Mapping[str, int], continuity: int
) -> None:
    """Publish each of these tables that has another version than the one that is held.

    Args:
        publisher: open.
        context: the run.
        held: up to which version each table of the lake was read before.
        continuity: the version of `ops.continuity` that runs were told by: the same is published.
    """
    for source, target, shaped in WHOLE.values():
        if not context.tables.exists(source):
            continue
        version = continuity if source is OPS_CONTINUITY else context.tables.version(source)
        if held.get(source.name) == version:
            continue
        rows = shaped(context.tables.read_version(source, version))
        await publisher.replace(
            target, in_columns(rows, [column.name for column in target.columns])
        )
        publisher.versions[source.name] = version


def in_columns(rows: DataFrame, names: Sequence[str]) -> pa.Table:
    """Return rows as the database holds them: times in ms, decimals as exact text."""
    taken = rows.select(*(_in_ms(rows, name).alias(name) for name in names)).toArrow()
    columns = [
        exact_text(column) if pa.types.is_decimal(column.type) else column
        for column in taken.columns
    ]
    return pa.table(columns, names=list(names))


def _in_ms(rows: DataFrame, name: str) -> Column:
    is_time = isinstance(rows.schema[name].dataType, T.TimestampType)
    return F.unix_millis(name) if is_time else F.col(name)
