"""What a comparison came to, in the shape in which every check keeps it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from lake.schemas_of_certificates import RECONCILIATION
from transform.reconciliation.causes import OPEN, UNDETERMINED

#: Holds rows that are read more than once: to plan and run what makes them again takes longer.
Keep = Callable[[DataFrame], DataFrame]
#: One certificate each.
SERIES = ("exchange", "kind", "instrument", "bar_interval")
#: What was found to be the same on both sides before its rows were parsed, a row an instrument: the
#: rows of either side, all of them matched, the checksum of these, and what they come to.
SETTLED = T.StructType(
    [
        *[T.StructField(name, T.StringType()) for name in (*SERIES, "instrument_uid", "hash")],
        *[T.StructField(name, T.LongType()) for name in ("rows", "compared", "not_derivable")],
        *[T.StructField(f"{side}_repeats", T.LongType()) for side in ("left", "right")],
        *[T.StructField(name, T.LongType()) for name in ("lowest", "highest")],
    ]
)
COUNTS = T.MapType(T.StringType(), T.LongType(), valueContainsNull=False)


def stamped(rows: DataFrame, schema: T.StructType, values: Mapping[str, Any]) -> DataFrame:
    """Return the rows in exactly the schema's columns.

    Args:
        rows: what a comparison found.
        schema: `RECONCILIATION` or `RECONCILIATION_DIFFERENCES`.
        values: what the run knows: its id, the check, the sides, the window, the moment.
    """
    literals = {name: F.lit(value) for name, value in values.items()}
    known = rows.withColumns(
        {name: column for name, column in literals.items() if name in schema.fieldNames()}
    )
    absent = {field.name: F.lit(None) for field in schema.fields if field.name not in known.columns}
    return known.withColumns(absent).select(
        *[F.col(field.name).cast(field.dataType) for field in schema.fields]
    )


def by_cause(differences: DataFrame, series: Sequence[str] = SERIES) -> DataFrame:
    """Count differences: `causes`, `unexplained` and `undetermined`, a row a certificate.

    Args:
        differences: with the columns of `series`, `cause` and `rows`.
        series: what has a certificate of its own.
    """
    rows = F.coalesce(F.sum("rows"), F.lit(0)).alias("count")
    counted = differences.groupBy(*series, "cause").agg(rows)
    entries = F.sort_array(F.collect_list(F.struct("cause", "count")))
    return counted.groupBy(*series).agg(
        _of(F.col("cause").isin(*OPEN)).alias("unexplained"),
        _of(F.col("cause") == UNDETERMINED).alias("undetermined"),
        F.map_from_entries(entries).alias("causes"),
    )


def filled(totals: DataFrame) -> DataFrame:
    """Put zeros, and no causes, where a certificate has counted nothing."""
    numbers = [field.name for field in RECONCILIATION if field.dataType == T.LongType()]
    zeros = {name: _or(name, F.lit(0)) for name in numbers if name in totals.columns}
    return totals.withColumns({**zeros, "causes": _or("causes", F.create_map().cast(COUNTS))})


def _or(name: str, nothing: Column) -> Column:
    return F.coalesce(F.col(name), nothing)


def _of(condition: Column) -> Column:
    return F.sum(F.when(condition, F.col("count")).otherwise(F.lit(0)))
