"""Times without a market, read from what the exchange's own bars skip."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from lake import schemas
from transform import grid, intervals, spans

IDENTITY = [field.name for field in schemas.IDENTITY]
SERIES = [*IDENTITY, "bar_interval", "source"]


def from_klines(klines: DataFrame, landed: DataFrame) -> DataFrame:
    """Return the times for which the exchange published no bar, and the rest of bars cut short.

    A gap counts only between two bars of one interval and source, inside one landed range.

    Args:
        klines: rows of `schemas.KLINES`.
        landed: identity, bar_interval, source, landed_from, landed_until: what was asked of the
            exchange and answered, one row a file; ranges that touch count as one.

    Returns:
        Identity, halted_from, halted_until (the bar after starts there).
    """
    in_order = Window.partitionBy(*SERIES).orderBy("open_time", "close_time", "revision")
    following = F.lead("open_time").over(in_order)
    paused = klines.select(
        *SERIES, _ends_at().alias("halted_from"), following.alias("halted_until")
    ).where(F.col("halted_until") > F.col("halted_from"))
    inside = (F.col("landed_from") <= F.col("halted_from")) & (
        F.col("landed_until") >= F.col("halted_until")
    )
    return (
        paused.join(_ranges(landed), on=SERIES, how="inner")
        .where(inside)
        .select(*IDENTITY, "halted_from", "halted_until")
        .distinct()
    )


def _ends_at() -> Column:
    end = grid.shifted(F.col("open_time"), intervals.length(F.col("bar_interval")))
    return F.when(F.array_contains("findings", "cut_short"), F.col("close_time")).otherwise(end)


def _ranges(landed: DataFrame) -> DataFrame:
    return (
        spans.numbered(landed, SERIES, F.col("landed_from"), F.col("landed_until"))
        .groupBy(*SERIES, "island")
        .agg(
            F.min("landed_from").alias("landed_from"),
            F.max("landed_until").alias("landed_until"),
        )
    )
