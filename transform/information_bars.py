"""Prints to bars that close by what was traded: so many trades, such a volume, such a value."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, NamedTuple

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from lake import schemas
from lake.schemas_of_information_bars import INFORMATION_BARS
from transform import bars, grid

BarType = Literal["tick", "volume", "dollar"]

DAY = [*bars.IDENTITY, "bar_date"]
#: What is the same of all bars of a day.
OF_DAY = ["built_from", "is_complete"]


class Series(NamedTuple):
    """Which bars of an instrument: what they count, and how much of it makes a bar."""

    bar_type: BarType
    threshold: Decimal


def information_bars(
    prints: DataFrame, source: bars.Source, days: DataFrame, series: Series
) -> DataFrame:
    """Cut each day's prints into bars at the multiples of the threshold.

    A print belongs to the bar in which the sum of the day's prints before it lies:
    floor(sum before / threshold), in the order of trade numbers. So a bar closes with the print
    that reaches or passes the next multiple, and no print is split. It is the sum that counts, not
    where a bar before has closed: a window function finds it, exactly and in any partitioning.

    Args:
        prints: rows of `schemas.TRADES` or `schemas.AGG_TRADES` of whole UTC days, unique by key.
        source: which of the two.
        days: the instruments' days: the identity columns, bar_date, built_from and is_complete.
            Prints of other days, and of days built from another source, are left out.
        series: which bars.

    Returns:
        Rows of `schemas_of_information_bars.INFORMATION_BARS`. Numbers run on without gaps, also
        where one print has passed several multiples.
    """
    time = F.col("trade_timestamp")
    wanted = days.where(F.col("built_from") == source).select(*DAY, *OF_DAY)
    dated = bars.counted(prints, source).withColumn("bar_date", grid.date(time))
    slotted = dated.join(F.broadcast(wanted), DAY).withColumn("slot", _slot(series))
    key = [*DAY, *OF_DAY, "slot"]
    found = bars.sides(slotted, key, F.min(time).alias("bar_start"), F.max(time).alias("bar_end"))
    whole = bars.merged(
        bars.parts(found),
        key,
        F.min("bar_start").alias("bar_start"),
        F.max("bar_end").alias("bar_end"),
    )
    return _numbered(whole, series)


def _slot(series: Series) -> Column:
    """Return how many multiples of the threshold the prints before have reached.

    `div` on decimals is exact; a quotient would be rounded, and could reach the next multiple.
    """
    before = Window.partitionBy(*DAY).orderBy("first_trade_seq")
    before = before.rowsBetween(Window.unboundedPreceding, -1)
    nothing, threshold = (F.lit(n).cast(schemas.AMOUNT) for n in (Decimal(0), series.threshold))
    summed = F.sum(_measure(series.bar_type).cast(schemas.AMOUNT)).over(before)
    return F.call_function("div", F.coalesce(summed, nothing), threshold)


def _measure(bar_type: BarType) -> Column:
    if bar_type == "tick":
        return F.col("last_trade_seq") - F.col("first_trade_seq") + 1
    if bar_type == "volume":
        return F.col("quantity")
    # a combo's price may be below zero: what it is worth still adds to the sum
    return F.abs(F.col("quote_quantity"))


def _numbered(rows: DataFrame, series: Series) -> DataFrame:
    of_day = Window.partitionBy(*DAY).orderBy("slot")
    return rows.select(
        "*",
        F.lit(series.bar_type).alias("bar_type"),
        F.lit(series.threshold).cast(schemas.AMOUNT).alias("threshold"),
        F.row_number().over(of_day).alias("bar_number"),
        F.lead("slot").over(of_day).isNull().alias("is_last_of_day"),
        F.year("bar_date").alias("year"),
        F.month("bar_date").alias("month"),
    ).select(*INFORMATION_BARS.fieldNames())
