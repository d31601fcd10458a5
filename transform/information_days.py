"""Information bars against the candle of their day: what must come out alike, field by field."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from lake import schemas
from transform import bars, grid
from transform.information_bars import DAY, OF_DAY

SUMS = [field.name for field in schemas.BAR_SUMS]
#: Compared where trade numbers run with the minutes: the first print of a day is then one print.
ENDS = ("open", "close")
FIELDS = (
    *ENDS,
    *("high", "low"),
    *SUMS,
    *("first_trade_seq", "last_trade_seq", "from_trades", "is_complete"),
)

#: SQL over what `compared` returns: the field differs.
DIFFERS = "NOT by_bars <=> by_day"


def days(candles: DataFrame) -> DataFrame:
    """Return the days of which there is a candle.

    Args:
        candles: rows of `schemas.OHLCV`, of the intervals 1d and 1m. Without minutes nothing is
            known of the order of a day.

    Returns:
        The columns of `schemas.OHLCV` of each 1d candle, bar_date, and is_in_order: whether no
        minute of the day has a trade number below one of the minute before.
    """
    dated = candles.withColumn("bar_date", grid.date(F.col("bar_start")))
    minutes = dated.where("bar_interval = '1m'")
    before = F.lag("last_trade_seq").over(Window.partitionBy(*DAY).orderBy("bar_start"))
    follows = F.coalesce(before < F.col("first_trade_seq"), F.lit(True))
    order = minutes.select(*DAY, follows.alias("follows")).groupBy(*DAY)
    return dated.where("bar_interval = '1d'").join(
        order.agg(F.min("follows").alias("is_in_order")), DAY, "left"
    )


def compared(information: DataFrame, of_days: DataFrame) -> DataFrame:
    """Put the bars of each day, merged, beside the day's candle.

    Args:
        information: rows of `schemas_of_information_bars.INFORMATION_BARS`, of one series.
        of_days: as `days` returns them.

    Returns:
        One row a day and field: identity, bar_date, field, by_bars and by_day; a flag is 0 or 1.
        They have to be equal, nulls too; where only one side has the day, the other's are null.
    """
    priced = F.when(F.col("open").isNotNull(), F.col("bar_number"))
    rows = information.select("*", priced.alias("open_seq"), priced.alias("close_seq"))
    whole = bars.merged(rows, DAY, *[F.min(name).alias(name) for name in OF_DAY])
    pairs = (
        whole.select(*DAY, _fields().alias("bars"))
        .join(of_days.select(*DAY, _fields().alias("day"), "is_in_order"), DAY, "full")
        .select(*DAY, "is_in_order", F.explode(_beside()).alias("pair"))
        .select(*DAY, "is_in_order", "pair.*")
    )
    compares = ~F.col("field").isin(*ENDS) | F.coalesce("is_in_order", F.lit(False))
    return pairs.where(compares).drop("is_in_order")


def _fields() -> Column:
    flags = {
        "from_trades": (F.col("built_from") == "trades").cast("int"),
        "is_complete": F.col("is_complete").cast("int"),
    }
    return F.struct(
        *[flags.get(name, F.col(name)).cast(schemas.AMOUNT).alias(name) for name in FIELDS]
    )


def _beside() -> Column:
    return F.array(
        *[
            F.struct(
                F.lit(name).alias("field"),
                F.col(f"bars.{name}").alias("by_bars"),
                F.col(f"day.{name}").alias("by_day"),
            )
            for name in FIELDS
        ]
    )
