"""Minutes of the mark price to candles of all intervals: `gold.mark_ohlcv`."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from lake import schemas
from lake.schemas_of_perpetuals import MARK_OHLCV
from transform import grid

IDENTITY = [field.name for field in schemas.IDENTITY]
BAR = [*IDENTITY, "bar_interval", "bar_start"]


def candles(bars: DataFrame, until: datetime) -> DataFrame:
    """Return the candles that the exchange's own minutes merge to, each as published.

    Of a source the newest revision of a minute counts; of the sources REST (`history`) comes
    before the archive. A minute off the grid belongs to no candle. Nothing is filled: a candle
    whose minutes are not all held is there, and not complete.

    Args:
        bars: rows of `schemas_of_perpetuals.MARK_KLINES`, of whole UTC days.
        until: bars that end later are left out.

    Returns:
        Rows of `schemas_of_perpetuals.MARK_OHLCV`; `knowledge_timestamp` is when the last of a
        candle's minutes was known.
    """
    merged = _merged(_minutes(bars)).where(F.col("bar_end") <= F.lit(until))
    return merged.withColumns(
        {
            "is_complete": F.col("minutes").cast("bigint") * grid.MINUTE == _length(),
            "year": grid.year(F.col("bar_start")),
            "month": grid.month(F.col("bar_start")),
        }
    ).select(*MARK_OHLCV.fieldNames())


def _minutes(bars: DataFrame) -> DataFrame:
    """Choose one row a minute."""
    on_grid = bars.where("bar_interval = '1m' AND NOT array_contains(findings, 'off_grid')")
    of_source = Window.partitionBy(*IDENTITY, "open_time", "source")
    newest = on_grid.withColumn("last_revision", F.max("revision").over(of_source)).where(
        "revision = last_revision"
    )
    minute = Window.partitionBy(*IDENTITY, "open_time")
    said = F.struct("open", "high", "low", "close")
    return newest.withColumns(
        {
            "place": F.row_number().over(minute.orderBy(F.desc("source"))),
            "is_disputed": F.min(said).over(minute) != F.max(said).over(minute),
        }
    ).where("place = 1")


def _merged(minutes: DataFrame) -> DataFrame:
    start = F.col("open_time")
    slots = F.array(
        *[
            F.struct(
                F.lit(interval).alias("bar_interval"),
                grid.bar_start(start, interval).alias("bar_start"),
            )
            for interval in grid.INTERVALS
        ]
    )
    rows = minutes.drop("bar_interval").select("*", F.explode(slots).alias("slot"))
    first_source, last_source = F.min("source"), F.max("source")
    return (
        rows.select("*", "slot.*")
        .groupBy(*BAR)
        .agg(
            F.min_by("open", "open_time").alias("open"),
            F.max("high").alias("high"),
            F.min("low").alias("low"),
            F.max_by("close", "open_time").alias("close"),
            F.count(F.lit(1)).cast("int").alias("minutes"),
            F.when(first_source == last_source, first_source).otherwise("mixed").alias("source"),
            F.bool_or("is_disputed").alias("is_disputed"),
            F.max("knowledge_timestamp").alias("knowledge_timestamp"),
        )
        .withColumn("bar_end", grid.shifted(F.col("bar_start"), _length()))
    )


def _length() -> Column:
    lengths = F.create_map(*[F.lit(part) for pair in grid.INTERVALS.items() for part in pair])
    return F.element_at(lengths, F.col("bar_interval"))
