"""Which candles are new or differ from what gold holds: nothing else is written."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from lake import schemas

BAR = ["exchange", "kind", "instrument_uid", "bar_interval", "bar_start"]
#: A change of these alone is none: our own times and numbers, and which source was used.
NOT_COMPARED = ("knowledge_timestamp", "revision", "built_from", "year", "month")
COMPARED = [
    name for name in schemas.OHLCV.fieldNames() if name not in NOT_COMPARED and name not in BAR
]


def changed(candidates: DataFrame, current: DataFrame, moment: datetime) -> DataFrame:
    """Return the candidates that differ from the current bars, numbered and with the reason.

    Args:
        candidates: rows of `schemas.OHLCV`, whatever their revision.
        current: the bars that gold holds, of at least the same keys.
        moment: now, with its time zone: when we know what no newer trade has told.

    Returns:
        Rows of `schemas.OHLCV_REVISIONS`, revision one above the current or 0. The reason is
        `first_seen`, `hole_closed` (complete now), `hole_opened` (no longer), `late_trades`
        (more trades than before) or `corrected`. `knowledge_timestamp` is that of the newest
        trade where the bar is new or later trades made it another; else, where a decision, a
        proof or a rebuild did, it is `moment`. It never goes back from one revision to the next.
    """
    held = current.select(
        *BAR,
        F.struct(*COMPARED).alias("was"),
        F.col("revision").alias("was_revision"),
        F.col("knowledge_timestamp").alias("was_known"),
    )
    now = F.struct(*COMPARED)
    return (
        candidates.join(held, on=BAR, how="left")
        .where(~now.eqNullSafe(F.col("was")))
        .withColumn("revision", F.coalesce(F.col("was_revision") + 1, F.lit(0)))
        .withColumn("reason", _reason())
        .withColumn("knowledge_timestamp", _known(moment))
        .select(*schemas.OHLCV_REVISIONS.fieldNames())
    )


def _known(moment: datetime) -> Column:
    """Return when a value was known: a trade that is held since long may be corrected today."""
    known, was_known = F.col("knowledge_timestamp"), F.col("was_known")
    has_later_trades = (F.col("trade_count") > F.col("was.trade_count")) & (known > was_known)
    return F.when(F.col("was").isNull() | has_later_trades, known).otherwise(
        F.greatest(was_known, F.lit(moment))
    )


def _reason() -> Column:
    complete, was_complete = F.col("is_complete"), F.col("was.is_complete")
    return (
        F.when(F.col("was").isNull(), "first_seen")
        .when(complete & ~was_complete, "hole_closed")
        .when(~complete & was_complete, "hole_opened")
        .when(F.col("trade_count") > F.col("was.trade_count"), "late_trades")
        .otherwise("corrected")
    )
