"""Which candles are new or differ from what gold holds: nothing else is written."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from lake import schemas

BAR = ["exchange", "kind", "instrument_uid", "bar_interval", "bar_start"]
#: A change of these alone is none: our own times and numbers, and which source was used.
NOT_COMPARED = ("knowledge_timestamp", "revision", "built_from", "year", "month")
COMPARED = [
    name for name in schemas.OHLCV.fieldNames() if name not in NOT_COMPARED and name not in BAR
]


def changed(candidates: DataFrame, current: DataFrame) -> DataFrame:
    """Return the candidates that differ from the current bars, numbered and with the reason.

    Args:
        candidates: rows of `schemas.OHLCV`, whatever their revision.
        current: the bars that gold holds, of at least the same keys.

    Returns:
        Rows of `schemas.OHLCV_REVISIONS`, revision one above the current or 0. The reason is
        `first_seen`, `hole_closed` (complete now), `hole_opened` (no longer), `late_trades`
        (more trades than before) or `corrected`.
    """
    held = current.select(
        *BAR,
        F.struct(*COMPARED).alias("was"),
        F.col("revision").alias("was_revision"),
    )
    now = F.struct(*COMPARED)
    return (
        candidates.join(held, on=BAR, how="left")
        .where(~now.eqNullSafe(F.col("was")))
        .withColumn("revision", F.coalesce(F.col("was_revision") + 1, F.lit(0)))
        .withColumn("reason", _reason())
        .select(*schemas.OHLCV_REVISIONS.fieldNames())
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
