"""Minute bars of both sources to the candles of all intervals: which source, and is it whole."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from lake import schemas
from transform import bars, grid, proof

IDENTITY = [field.name for field in schemas.IDENTITY]
BAR = [*IDENTITY, "bar_interval", "bar_start", "bar_end"]


def candidates(
    source_bars: DataFrame, continuity: DataFrame, conflicts: DataFrame, until: datetime
) -> DataFrame:
    """Return what the candles of all intervals should be now, each from one source alone.

    A bar comes from `trades` where the ledger proves its whole range, else from `agg_trades`
    where that is proved, else from whichever has more trades (`trades` if equal), not complete.
    A source proved whole stands even where it has no print and the other has.

    Args:
        source_bars: minutes of `schemas.SOURCE_BARS`, of both sources, of whole UTC days.
        continuity: rows of `schemas.CONTINUITY` for the datasets trades and agg_trades.
        conflicts: rows of `schemas.CONFLICTS`.
        until: the venue's clock less the grace time, with its time zone; bars that end later
            are left out.

    Returns:
        Rows of `schemas.OHLCV`, one a bar with prints; revision is 0 until it is compared.
    """
    ended = merged_intervals(source_bars).where(F.col("bar_end") <= F.lit(until))
    judged = _judged(proof.with_evidence(ended, continuity, conflicts))
    return _chosen(judged).select(
        *schemas.OHLCV.fieldNames()[:-3],
        F.lit(0).alias("revision"),
        grid.year(F.col("bar_start")).alias("year"),
        grid.month(F.col("bar_start")).alias("month"),
    )


def merged_intervals(minutes: DataFrame) -> DataFrame:
    """Merge minutes of each source into all intervals: first open, last close, extremes, sums.

    Args:
        minutes: rows of `schemas.SOURCE_BARS`.

    Returns:
        One row a bar and source: identity, bar_interval, bar_start, bar_end, built_from, and the
        bar's columns.
    """
    minute = F.col("bar_start")
    slots = F.array(
        *[
            F.struct(
                F.lit(interval).alias("bar_interval"),
                grid.bar_start(minute, interval).alias("bar_start"),
                grid.bar_end(grid.bar_start(minute, interval), interval).alias("bar_end"),
            )
            for interval in grid.INTERVALS
        ]
    )
    priced = F.when(F.col("open").isNotNull(), minute)
    rows = minutes.select(
        "*", priced.alias("open_seq"), priced.alias("close_seq"), F.explode(slots).alias("slot")
    )
    rows = rows.drop("bar_start").select("*", "slot.*")
    return bars.merged(rows, [*BAR, "built_from"])


def _judged(rows: DataFrame) -> DataFrame:
    start, end = F.col("bar_start"), F.col("bar_end")
    from_trades = F.col("built_from") == "trades"
    disputed = F.when(from_trades, proof.disputes("trades", start, end)).otherwise(
        proof.disputes("agg_trades", start, end)
    )
    rows = rows.select(
        "*",
        proof.proves("trades", start, end).alias("trades_whole"),
        proof.proves("agg_trades", start, end).alias("agg_trades_whole"),
        disputed.alias("disputed"),
    )
    return proof.without_evidence(rows)


def _chosen(rows: DataFrame) -> DataFrame:
    proved = _proved_source()
    by_size = Window.partitionBy(*BAR).orderBy(F.desc("trade_count"), F.desc("built_from"))
    allowed = rows.where(proved.isNull() | (proved == F.col("built_from")))
    return (
        allowed.withColumn("place", F.row_number().over(by_size))
        .where(F.col("place") == 1)
        .withColumn("is_complete", proved.isNotNull() & ~F.col("disputed"))
    )


def _proved_source() -> Column:
    return F.when(F.col("trades_whole"), F.lit("trades")).when(
        F.col("agg_trades_whole"), F.lit("agg_trades")
    )
