"""Prints to minute bars, each source apart: the first step from silver to gold."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from lake import schemas
from transform import grid

Source = Literal["trades", "agg_trades"]

IDENTITY = [field.name for field in schemas.IDENTITY]
UNITS = [field.name for field in schemas.UNITS]


class PrintRule(NamedTuple):
    """What a kind of print does to a bar, and how that is known."""

    sets_price: bool
    counts: bool
    evidence: str


#: Follows the exchanges' own bars.
PRINT_RULES: Mapping[str, PrintRule] = MappingProxyType(
    {
        "book": PrintRule(sets_price=True, counts=True, evidence="all bars of both exchanges"),
        "block": PrintRule(
            sets_price=False,
            counts=True,
            evidence="Deribit's bar at 1766483520000: open to close at 87456.5, "
            "cost 250000 / volume 2.85806724 = 87471.70, a block's tick and size",
        ),
        "rfq": PrintRule(sets_price=False, counts=True, evidence="as block: negotiated off book"),
        "combo_leg": PrintRule(
            sets_price=False, counts=True, evidence="as block: priced by the combo's book"
        ),
        "unknown": PrintRule(sets_price=False, counts=True, evidence="the cautious reading"),
        "insurance_fund": PrintRule(
            sets_price=False, counts=False, evidence="Binance: market trades only in aggTrades"
        ),
        "adl": PrintRule(
            sets_price=False, counts=False, evidence="Binance: market trades only in aggTrades"
        ),
    }
)


def minute_bars(prints: DataFrame, source: Source) -> DataFrame:
    """Return one row an instrument and minute that has prints.

    Open and close are the prices of the lowest and the highest trade number, so that neither
    order of arrival nor partitioning matters. Rows must be unique by their key.

    Args:
        prints: rows of `schemas.TRADES` or `schemas.AGG_TRADES`.
        source: which of the two.

    Returns:
        Rows of `schemas.SOURCE_BARS`. `volume` is in quantity_unit; `base_volume` of contracts
        counted in contracts or quote units is the sum of each print's quote / price, rounded
        half up at scale 18. Prices are null where every print was off the book.
    """
    minute = [*IDENTITY, "bar_start"]
    found = counted(prints, source).withColumn(
        "bar_start", grid.bar_start(F.col("trade_timestamp"), "1m")
    )
    return merged(parts(sides(found, minute)), minute).select(
        *IDENTITY,
        F.lit(source).alias("built_from"),
        *schemas.SOURCE_BARS.fieldNames()[5:-2],
        grid.year(F.col("bar_start")).alias("year"),
        grid.month(F.col("bar_start")).alias("month"),
    )


def counted(prints: DataFrame, source: Source) -> DataFrame:
    """Return the prints that count in bars, and what each does to one.

    Args:
        prints: as of `minute_bars`.
        source: which of the two.

    Returns:
        The same columns, `first_trade_seq` and `last_trade_seq` of single trades too, and whether
        the print `sets_price` and `is_buy`.
    """
    counting = [kind for kind, rule in PRINT_RULES.items() if rule.counts]
    pricing = [kind for kind, rule in PRINT_RULES.items() if rule.sets_price]
    if source == "trades":
        prints = prints.where(F.col("print_kind").isin(counting)).select(
            "*",
            F.col("print_kind").isin(pricing).alias("sets_price"),
            F.col("trade_seq").alias("first_trade_seq"),
            F.col("trade_seq").alias("last_trade_seq"),
        )
    else:
        prints = prints.withColumn("sets_price", F.lit(True))
    return prints.withColumn("is_buy", F.col("taker_side") == "buy")


def sides(prints: DataFrame, key: list[str], *more: Column) -> DataFrame:
    """Reduce millions of prints to a few rows a bar, in fixed-width buffers.

    Whatever a sum depends on is a key here (units, side, whether it sets the price): that leaves
    no text in a buffer, which would force Spark to sort the prints, and half as many sums.

    Args:
        prints: as `counted` returns them.
        key: the columns that name a bar.
        more: further aggregates.
    """
    seq = F.col("first_trade_seq")
    return prints.groupBy(*key, *UNITS, "sets_price", "is_buy").agg(
        F.min_by("price", seq).alias("open"),
        F.max("price").alias("high"),
        F.min("price").alias("low"),
        F.max_by("price", seq).alias("close"),
        F.max(seq).alias("last_print_seq"),
        F.sum("quantity").cast(schemas.AMOUNT).alias("volume"),
        F.sum("quote_quantity").cast(schemas.AMOUNT).alias("quote_volume"),
        F.sum(F.when(_is_inverse(), _base_of_inverse())).alias("inverse_base_volume"),
        F.sum(F.col("last_trade_seq") - seq + 1).alias("trade_count"),
        F.min(seq).alias("first_trade_seq"),
        F.max("last_trade_seq").alias("last_trade_seq"),
        F.max("knowledge_timestamp").alias("knowledge_timestamp"),
        *more,
    )


def _is_inverse() -> Column:
    unit = F.col("quantity_unit")
    counted_otherwise = (unit == "contract") | (unit == F.col("quote_unit"))
    return F.coalesce(counted_otherwise, F.col("kind") == "coinm")


def _base_of_inverse() -> Column:
    """Divide once, to scale 18: decimal(38,18) by decimal(38,18) is decimal(38,18) in Spark.

    With a price of scale 10 Spark would round at 22 and the cast again at 18. A combo's spread
    price may be zero or negative: it is no rate of exchange and gives no base amount.
    """
    price = F.col("price").cast(schemas.AMOUNT)
    quotient = F.try_divide(F.col("quote_quantity").cast(schemas.AMOUNT), price)
    return F.when(F.col("price") > 0, quotient).otherwise(F.lit(0)).cast(schemas.AMOUNT)


def parts(found: DataFrame) -> DataFrame:
    """Return what `sides` has found as parts of bars, for `merged`."""
    base = F.coalesce(F.col("inverse_base_volume"), F.col("volume"))
    priced = [
        F.when(F.col("sets_price"), F.col(name)).alias(name)
        for name in ("open", "high", "low", "close")
    ]
    return found.select(
        *[name for name in found.columns if name not in ("open", "high", "low", "close")],
        *priced,
        F.when(F.col("sets_price"), F.col("first_trade_seq")).alias("open_seq"),
        F.when(F.col("sets_price"), F.col("last_print_seq")).alias("close_seq"),
        base.alias("base_volume"),
        *[
            F.when(F.col("is_buy"), volume).otherwise(F.lit(0).cast(schemas.AMOUNT)).alias(name)
            for name, volume in (
                ("taker_buy_volume", F.col("volume")),
                ("taker_buy_base_volume", base),
                ("taker_buy_quote_volume", F.col("quote_volume")),
            )
        ],
    )


def merged(rows: DataFrame, key: list[str], *more: Column) -> DataFrame:
    """Merge parts of bars exactly: first open, last close, extremes, sums.

    Args:
        rows: parts with the columns of `schemas.SOURCE_BARS` from `open` to
            `knowledge_timestamp`, and `open_seq` and `close_seq` that order them; both are null
            where a part has no price.
        key: the columns that name the whole.
        more: further aggregates.
    """
    return rows.groupBy(*key).agg(
        F.min_by("open", "open_seq").alias("open"),
        F.max("high").alias("high"),
        F.min("low").alias("low"),
        F.max_by("close", "close_seq").alias("close"),
        *[F.sum(f.name).cast(f.dataType).alias(f.name) for f in schemas.BAR_SUMS],
        *[F.max(name).alias(name) for name in UNITS],
        F.min("first_trade_seq").alias("first_trade_seq"),
        F.max("last_trade_seq").alias("last_trade_seq"),
        F.max("knowledge_timestamp").alias("knowledge_timestamp"),
        *more,
    )
