"""Stretches of bars without prints, as `gold.ohlcv_filled` tells them: quiet, or unknown."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from jobs import views
from jobs.context import Context
from jobs.publishing.bars import Bound, Published
from lake.frames import local_frame
from lake.tables import (
    GOLD_OHLCV,
    OPS_CONTINUITY,
    OPS_WATERMARKS,
    SILVER_INSTRUMENTS,
    SILVER_KLINES,
)
from serve.database.intervals import MINUTES
from serve.database.schema import RUNS
from serve.publishing.publisher import Publisher

#: What the view is made of.
SOURCES = (GOLD_OHLCV, OPS_CONTINUITY, OPS_WATERMARKS, SILVER_INSTRUMENTS, SILVER_KLINES)
SERIES = T.StructType(
    [
        T.StructField("exchange", T.StringType()),
        T.StructField("kind", T.StringType()),
        T.StructField("instrument_uid", T.StringType()),
        T.StructField("bar_interval", T.StringType()),
        T.StructField("series_id", T.IntegerType()),
        T.StructField("bar_minutes", T.ShortType()),
        T.StructField("until", T.LongType()),
    ]
)


async def publish(publisher: Publisher, context: Context, published: Published) -> None:
    """Publish the stretches of series where anything has changed that they follow from.

    Args:
        publisher: open.
        context: the run.
        published: the bars, which the stretches lie between; it is told what they follow from.
    """
    versions = [context.tables.version(table) for table in SOURCES]
    published.runs_of = " ".join(map(str, versions))
    bounds = [bound for bound in published.bounds if not _stands(bound, published.runs_of)]
    if not bounds:
        return
    found = _stretches(context, bounds).toArrow()
    pairs = sorted((bound.series_id, MINUTES[bound.pair.interval]) for bound in bounds)
    where = f"(series_id, bar_minutes) IN (VALUES {', '.join(map(str, pairs))})"
    if await _differs(publisher, found, where):
        await publisher.replace(RUNS, found, where)


def _stands(bound: Bound, runs_of: str) -> bool:
    held = bound.held
    return held is not None and (held.runs_of, held.bars_until) == (runs_of, bound.until)


async def _differs(publisher: Publisher, found: pa.Table, where: str) -> bool:
    names = ", ".join(found.column_names)
    held = await publisher.rows(f"SELECT {names} FROM runs WHERE {where}")  # noqa: S608 - our words
    return sorted(map(tuple, held)) != sorted(
        zip(*(column.to_pylist() for column in found.columns), strict=True)
    )


def _stretches(context: Context, bounds: Sequence[Bound]) -> DataFrame:
    rows = []
    for bound in bounds:
        name, interval = bound.pair.name, bound.pair.interval
        key = (name.exchange, name.kind, name.instrument_uid, interval)
        rows.append((*key, bound.series_id, MINUTES[interval], bound.until))
    series = F.broadcast(local_frame(context.spark, rows, SERIES))
    intervals = tuple(sorted({bound.pair.interval for bound in bounds}))
    bars = views.ohlcv_filled(context, intervals).where("first_trade_seq IS NULL")
    known = bars.join(series, ["exchange", "kind", "instrument_uid", "bar_interval"], "inner")
    # quiet bars that no price goes before are as empty as unknown ones
    state = F.when(F.col("is_filled"), "quiet").otherwise("unknown")
    told = known.select(
        "series_id",
        "bar_minutes",
        F.unix_millis("bar_start").alias("from_time"),
        F.unix_millis("bar_end").alias("until_time"),
        state.alias("state"),
        "built_from",
        "until",
    )
    return _joined(told.where("until_time <= until"))


def _joined(bars: DataFrame) -> DataFrame:
    """Join bars that lie side by side and are alike."""
    ordered = Window.partitionBy("series_id", "bar_minutes").orderBy("from_time")
    alike = ("state", "built_from")
    goes_on = F.lag("until_time").over(ordered) == F.col("from_time")
    for name in alike:
        goes_on &= F.lag(name).over(ordered) == F.col(name)
    begins = F.when(goes_on, 0).otherwise(1)
    up_to_here = ordered.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    parted = bars.withColumn("begins", begins).withColumn("part", F.sum("begins").over(up_to_here))
    return (
        parted.groupBy("series_id", "bar_minutes", *alike, "part")
        .agg(F.min("from_time").alias("from_time"), F.max("until_time").alias("until_time"))
        .select("series_id", "bar_minutes", "from_time", "until_time", *alike)
    )
