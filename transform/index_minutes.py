"""Minutes of an index: the price that stands for each, and the minutes that have none."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

MINUTE_MICROS = 60_000_000
_INDEX = ("exchange", "kind", "instrument", "instrument_uid")
_KEY = ("exchange", "kind", "instrument_uid", "minute", "source", "price_source")
_PLACE = ("knowledge_timestamp", "bronze_file", "bronze_line")


def nearest(prices: DataFrame) -> DataFrame:
    """Return one row a minute, index and source: the price nearest to the minute's end.

    Of a channel that is the last price within the minute, of polls the first after it. It depends
    on nothing but the rows, whatever their order.

    Args:
        prices: rows of `silver.index_prices`, many a minute.
    """
    return _first(prices, _distance(), *_PLACE)


def nearer(seen: DataFrame, held: DataFrame) -> DataFrame:
    """Return the rows that take the place of those held, or of none; a row seen again does not.

    Args:
        seen: rows of a batch, many a minute.
        held: rows already in silver, at least all of the keys in `seen`.
    """
    both = held.withColumn("is_new", F.lit(False)).unionByName(
        seen.withColumn("is_new", F.lit(True))
    )
    return _first(both, _distance(), *_PLACE, "is_new").where("is_new").select(*seen.columns)


def missing(prices: DataFrame) -> DataFrame:
    """Return the minutes for which an index has no price of any source.

    They are expected from the index's first minute to the last one that any index of the same
    exchange has: one that stopped alone is missed until the others stop, too.

    Args:
        prices: rows of `silver.index_prices`.

    Returns:
        exchange, kind, instrument, instrument_uid, `minute` TIMESTAMP (its start).
    """
    held = prices.select(*_INDEX, "minute").distinct()
    last = held.groupBy("exchange", "kind").agg(F.max("minute").alias("last"))
    first = held.groupBy(*_INDEX).agg(F.min("minute").alias("first"))
    expected = first.join(last, ["exchange", "kind"], how="inner").select(
        *_INDEX, F.explode(F.sequence("first", "last", F.expr("INTERVAL 1 MINUTE"))).alias("minute")
    )
    return expected.join(held, [*_INDEX, "minute"], how="left_anti")


def _distance() -> Column:
    end = F.unix_micros("minute") + MINUTE_MICROS
    return F.abs(F.unix_micros("price_timestamp") - end)


def _first(prices: DataFrame, *order: Column | str) -> DataFrame:
    place = F.row_number().over(Window.partitionBy(*_KEY).orderBy(*order))
    return prices.withColumn("place", place).where("place = 1").drop("place")
