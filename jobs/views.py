"""What is asked of gold but not kept: the gap-free candles, and the exchange's newest bars."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from jobs.context import Context
from lake.clock import from_millis
from lake.frames import local_frame
from lake.packs import names_below
from lake.schemas import IDENTITY, KLINES
from lake.tables import (
    GOLD_OHLCV,
    OPS_CONTINUITY,
    OPS_WATERMARKS,
    SILVER_INDEX_PRICES,
    SILVER_INSTRUMENTS,
    SILVER_KLINES,
)
from transform import filled, halts, index_minutes

#: What bars files were asked for and answered: identity, interval, source and the time between.
LANDED = T.StructType(
    [
        *IDENTITY,
        KLINES["bar_interval"],
        KLINES["source"],
        T.StructField("landed_from", T.TimestampType(), nullable=False),
        T.StructField("landed_until", T.TimestampType(), nullable=False),
    ]
)


def ohlcv_filled(context: Context, intervals: tuple[str, ...] | None = None) -> DataFrame:
    """Return `gold.ohlcv_filled`: the candles without gaps, as the exchange's own bars are.

    Args:
        context: the run.
        intervals: the bar intervals wanted, all by default.
    """
    read = context.tables.read
    marks = read(OPS_WATERMARKS).where(F.col("table_name") == GOLD_OHLCV.name)
    pauses = halts.from_klines(published(context), _landed(context))
    parts = [
        filled.filled(
            read(GOLD_OHLCV),
            read(SILVER_INSTRUMENTS),
            read(OPS_CONTINUITY),
            pauses,
            marks.select("exchange", "kind", "instrument", "complete_until"),
            interval=interval,
        )
        for interval in intervals or context.settings.gold.bar_intervals
    ]
    return reduce(DataFrame.unionByName, parts)


def missing_minutes(context: Context) -> DataFrame:
    """Return `ops.missing_minutes`: the minutes for which an index has no price of any source."""
    table = SILVER_INDEX_PRICES
    if context.tables.exists(table):
        return index_minutes.missing(context.tables.read(table))
    return index_minutes.missing(local_frame(context.spark, [], table.schema))


def published(context: Context) -> DataFrame:
    """Return the newest revision of each of the exchange's bars, one a bar: REST before archive."""
    bar = ("exchange", "kind", "instrument_uid", "bar_interval", "open_time")
    newest = Window.partitionBy(*bar).orderBy(F.desc("source"), F.desc("revision"))
    rows = context.tables.read(SILVER_KLINES).withColumn("place", F.row_number().over(newest))
    return rows.where("place = 1").drop("place")


def _landed(context: Context) -> DataFrame:
    uids = {
        (row["exchange"], row["kind"], row["instrument"]): row["instrument_uid"]
        for row in context.tables.read(SILVER_KLINES)
        .select("exchange", "kind", "instrument", "instrument_uid")
        .distinct()
        .collect()
    }
    rows = []
    for name in names_below(context.store, "bronze/klines/"):
        listing = (name.exchange, name.kind, name.instrument)
        times = (from_millis(name.coverage.from_ms), from_millis(name.coverage.until_ms))
        interval = name.tag.split("-")[0]
        rows.append((*listing, uids.get(listing, name.instrument), interval, name.mode, *times))
    return local_frame(context.spark, rows, LANDED)
