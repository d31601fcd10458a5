"""What is asked but not kept: the gap-free candles, both labels of a bar, what was known when."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from jobs.context import Context
from lake.clock import from_millis
from lake.frames import local_frame
from lake.packs import names_below
from lake.schemas import IDENTITY, KLINES
from lake.tables import (
    GOLD_OHLCV,
    GOLD_OHLCV_REVISIONS,
    OPS_CONTINUITY,
    OPS_WATERMARKS,
    REPLACED,
    SILVER_AGG_TRADES,
    SILVER_INDEX_PRICES,
    SILVER_INSTRUMENTS,
    SILVER_KLINES,
    SILVER_TRADES,
    Table,
)
from transform import as_of, filled, halts, index_minutes

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


def ohlcv_filled(
    context: Context,
    intervals: tuple[str, ...] | None = None,
    bars: DataFrame | None = None,
    since: int | None = None,
) -> DataFrame:
    """Return `gold.ohlcv_filled`: the candles without gaps, as the exchange's own bars are.

    Args:
        context: the run.
        intervals: the bar intervals wanted, all by default.
        bars: rows of `gold.ohlcv`, all by default. Gaps are filled from the first of each series
            and interval on.
        since: only halts after this time (ms) are looked for; all by default.
    """
    read = context.tables.read
    marks = read(OPS_WATERMARKS).where(F.col("table_name") == GOLD_OHLCV.name)
    pauses = halts.from_klines(published(context, since), _landed(context))
    parts = [
        filled.filled(
            read(GOLD_OHLCV) if bars is None else bars,
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


def ohlcv_by_start(context: Context) -> DataFrame:
    """Return `gold.ohlcv_by_start`: the candles with the exchanges' label, their start."""
    return _labelled(context, "bar_start")


def ohlcv_by_end(context: Context) -> DataFrame:
    """Return `gold.ohlcv_by_end`: the candles labelled by their end, when they are known first."""
    return _labelled(context, "bar_end")


def _labelled(context: Context, by: str) -> DataFrame:
    return context.tables.read(GOLD_OHLCV).select(F.col(by).alias("bar_time"), "*")


def ohlcv_known(context: Context) -> DataFrame:
    """Return every value that a candle had, with the time in which it was the newest known."""
    return as_of.bars(context.tables.read(GOLD_OHLCV_REVISIONS))


def trades_known(context: Context) -> DataFrame:
    """Return every row that a trade had, with the time in which it stood."""
    return _prints_known(context, SILVER_TRADES)


def agg_trades_known(context: Context) -> DataFrame:
    """Return every row that an aggregate trade had, with the time in which it stood."""
    return _prints_known(context, SILVER_AGG_TRADES)


def _prints_known(context: Context, table: Table) -> DataFrame:
    replaced = REPLACED[table.name]
    earlier = (
        context.tables.read(replaced)
        if context.tables.exists(replaced)
        else local_frame(context.spark, [], replaced.schema)
    )
    return as_of.prints(context.tables.read(table), earlier, table.key)


def opened_since(moment: int) -> Column:
    """Return what each row of `silver.klines` that opened at `moment` (ms) or later meets."""
    day = int(f"{from_millis(moment):%Y%m%d}")
    of_day = F.col("year") * 10_000 + F.col("month") * 100 + F.col("day") >= day
    return of_day & (F.unix_millis("open_time") >= moment)


def published(context: Context, since: int | None = None) -> DataFrame:
    """Return the newest revision of each of the exchange's bars, one a bar: REST before archive.

    Args:
        context: the run.
        since: only of bars that opened then (ms) or later; of all by default.
    """
    bar = ("exchange", "kind", "instrument_uid", "bar_interval", "open_time")
    newest = Window.partitionBy(*bar).orderBy(F.desc("source"), F.desc("revision"))
    rows = context.tables.read(SILVER_KLINES)
    rows = rows if since is None else rows.where(opened_since(since))
    rows = rows.withColumn("place", F.row_number().over(newest))
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
