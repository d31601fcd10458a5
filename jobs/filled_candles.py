"""The rows of `gold.ohlcv_filled` for an export: derived by Spark, handed on month by month."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from jobs import views
from jobs.context import Lake, open_context
from serve.files.asked import Asked, Series
from serve.files.reading import BAR_COLUMNS

COLUMNS = (*BAR_COLUMNS, "is_filled")


@contextmanager
def filled_candles(lake: Lake, asked: Asked) -> Iterator[Callable[[Series], Iterator[pa.Table]]]:
    """Give what yields the filled candles of a series, in parts of a month, by time.

    Every candle is derived once and waits on disk: memory holds a month of one series.
    """
    with open_context("export", lake) as context:
        candles = views.ohlcv_filled(context, (asked.interval,)).where(_wanted(asked))
        kept = candles.select(*COLUMNS, "year", "month").persist(StorageLevel.DISK_ONLY)
        try:
            yield lambda series: _months(kept, series)
        finally:
            kept.unpersist()


def _wanted(asked: Asked) -> Column:
    wanted = F.lit(True)
    if asked.start is not None:
        wanted &= F.col("bar_start") >= F.lit(asked.start)
    if asked.end is not None:
        wanted &= F.col("bar_start") < F.lit(asked.end)
    return wanted


def _months(kept: DataFrame, series: Series) -> Iterator[pa.Table]:
    own = kept
    for name, value in series._asdict().items():
        own = own.where(F.col(name) == value)
    for row in own.select("year", "month").distinct().orderBy("year", "month").collect():
        of_month = own.where((F.col("year") == row["year"]) & (F.col("month") == row["month"]))
        bars = of_month.orderBy("bar_start", "instrument_uid").select(*COLUMNS)
        yield bars.toArrow()
