"""From when until when we knew a value: told by columns alone, for as long as the rows are kept."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

#: A bar, and what follows from it: a filter on any of these is met before the revisions are sorted.
BAR = (
    *("exchange", "kind", "instrument", "instrument_uid"),
    *("bar_interval", "bar_start", "year", "month"),
)


def bars(revisions: DataFrame) -> DataFrame:
    """Tell of each value of a bar from when until when it was the newest one known.

    No value is known before the bar's end: not even that no more trades will come.

    Args:
        revisions: rows of `schemas.OHLCV_REVISIONS`.

    Returns:
        The same rows with `known_from` and `known_until` TIMESTAMP; the second is not included,
        and null for what is still the newest. Where they are the wrong way round or equal, a later
        revision was known no later: at no moment was this one the newest.
    """
    later = Window.partitionBy(*BAR).orderBy(F.desc("revision"))
    before_it = later.rowsBetween(Window.unboundedPreceding, -1)
    known = revisions.withColumn("known_from", F.greatest("knowledge_timestamp", "bar_end"))
    return known.withColumn("known_until", F.min("known_from").over(before_it))


def prints(held: DataFrame, replaced: DataFrame, key: Sequence[str]) -> DataFrame:
    """Tell of each row that a trade has or had from when until when it stood.

    The first row stands from its knowledge_timestamp on; one that a correction has put in its
    place stands from the decision on, however long it had been known as the other claim.

    Args:
        held: rows of `schemas.TRADES` or `schemas.AGG_TRADES`, unique by key.
        replaced: the rows that stood before, with `replaced_at`.
        key: the key of `held`.

    Returns:
        Rows of the schema of `held`, with `known_from` and `known_until` as in `bars`.
    """
    decided = replaced.groupBy(*key).agg(F.max("replaced_at").alias("decided_at"))
    standing = held.join(F.broadcast(decided), list(key), "left").select(
        *held.columns,
        F.coalesce("decided_at", "knowledge_timestamp").alias("known_from"),
        F.lit(None).cast("timestamp").alias("known_until"),
    )
    decided_before = F.lag("replaced_at").over(Window.partitionBy(*key).orderBy("replaced_at"))
    earlier = replaced.select(
        *held.columns,
        F.coalesce(decided_before, "knowledge_timestamp").alias("known_from"),
        F.col("replaced_at").alias("known_until"),
    )
    return standing.unionByName(earlier)
