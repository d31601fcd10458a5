"""Funding rates as published to one current row a settlement: `gold.funding_rates`."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from lake import schemas
from lake.schemas_of_perpetuals import SETTLEMENTS
from transform import grid

IDENTITY = [field.name for field in schemas.IDENTITY]
#: Binance settles every 8 hours, or more often.
LONGEST_HOURS = 8


def current(rates: DataFrame) -> DataFrame:
    """Return one row a settlement.

    Exchanges stamp a settlement some milliseconds late, so it is known by its minute. Of a source
    the newest revision counts; of the sources REST (`history`) comes before the archive. The
    hours that any source publishes stand; where none does, they are the distance from the
    settlement before, if that is 1 to 8 whole hours. `is_disputed`: sources differ in the rate.

    Args:
        rates: rows of `schemas_of_perpetuals.FUNDING_RATES`, of whole listings.

    Returns:
        Rows of `schemas_of_perpetuals.SETTLEMENTS`; `knowledge_timestamp` is when the row that
        stands was known.
    """
    chosen = _chosen(_newest(rates).withColumn("settlement_timestamp", _minute()))
    before = Window.partitionBy(*IDENTITY).orderBy("settlement_timestamp")
    derived = _hours_since(F.lag("settlement_timestamp").over(before))
    published = F.col("published_hours")
    how = F.when(published.isNotNull(), "published").when(derived.isNotNull(), "derived")
    moment = F.col("settlement_timestamp")
    return chosen.withColumns(
        {
            "interval_is": how,
            "funding_interval_hours": F.coalesce(published, derived).cast("int"),
            "year": grid.year(moment),
            "month": grid.month(moment),
        }
    ).select(*SETTLEMENTS.fieldNames())


def _newest(rates: DataFrame) -> DataFrame:
    of_source = Window.partitionBy(*IDENTITY, "funding_timestamp", "source")
    last = F.max("revision").over(of_source)
    return rates.withColumn("last_revision", last).where("revision = last_revision")


def _minute() -> Column:
    """Return the moment on the nearest minute."""
    half = F.timestamp_micros(F.unix_micros("funding_timestamp") + grid.MINUTE // 2)
    return grid.bar_start(half, "1m")


def _chosen(rates: DataFrame) -> DataFrame:
    settlement = Window.partitionBy(*IDENTITY, "settlement_timestamp")
    precedence = settlement.orderBy(F.desc("source"), F.desc("exchange_timestamp"))
    return (
        rates.withColumns(
            {
                "place": F.row_number().over(precedence),
                "published_hours": F.max("funding_interval_hours").over(settlement),
                "is_disputed": F.min("funding_rate").over(settlement)
                != F.max("funding_rate").over(settlement),
            }
        )
        .where("place = 1")
        .drop("funding_interval_hours")
    )


def _hours_since(before: Column) -> Column:
    apart = F.unix_micros("settlement_timestamp") - F.unix_micros(before)
    hours = F.call_function("div", apart, F.lit(grid.HOUR))
    whole = (apart % grid.HOUR == 0) & hours.between(1, LONGEST_HOURS)
    return F.when(whole, hours)
