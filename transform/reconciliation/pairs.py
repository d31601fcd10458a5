"""Two sides of one dataset, row by row: what both have, what one lacks, which fields differ."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from transform.reconciliation.subjects import Subject

#: Where a row of a side stands, and when it came.
PLACE = ("bronze_file", "bronze_line", "end_download_timestamp")
SIDES = ("left", "right")
_SHARED = ("instrument", "moment")


def one_each(rows: DataFrame, subject: Subject, *, newest: bool) -> DataFrame:
    """Reduce a side to one row a key, and keep what else it said of it.

    Args:
        rows: of the subject's silver schema, each key any number of times.
        subject: what is compared.
        newest: which of several stands: the one that was known last (a file of the archive that
            was published anew takes the place of the older one), or first (streams repeat
            themselves). Ties fall to the lower bronze place, so that nothing depends on order.

    Returns:
        The key's columns, instrument, bar_interval, `row` (the compared fields, their digests,
        `moment` and PLACE), `copies` BIGINT, `others` ARRAY<STRUCT<digest, bronze_file>>: what
        was said of it that differs.
    """
    digests = {
        "digest": F.xxhash64(*subject.sent),
        "whole": F.xxhash64(*subject.sent, *subject.derived),
    }
    keyed = subject.keyed(rows).withColumns(digests)
    kept = F.struct(*digests, *_once((*subject.fields, "moment", *PLACE)))
    known = F.unix_micros("knowledge_timestamp")
    order = F.struct((-known if newest else known).alias("known"), "bronze_file", "bronze_line")
    said = F.collect_set(F.struct("digest", "bronze_file"))
    reduced = keyed.groupBy(*subject.key, *_series_beside(subject)).agg(
        F.min_by("instrument", order).alias("instrument"),
        F.min_by(kept, order).alias("row"),
        F.count(F.lit(1)).alias("copies"),
        said.alias("said"),
    )
    digest = F.col("row.digest")
    others = F.filter("said", lambda one: one["digest"] != digest)
    return reduced.withColumn("others", others).drop("said")


def paired(
    left: DataFrame, right: DataFrame, subject: Subject, window: tuple[datetime, datetime]
) -> DataFrame:
    """Put two sides together by key.

    A row lies in the window [start, end) where either side says so: a time that differs is a
    difference, not a row too many and one too few.

    Args:
        left: as `one_each` returns it, some time beyond the window included.
        right: likewise.
        subject: what is compared.
        window: aware datetimes.

    Returns:
        The key's columns, instrument, bar_interval, moment, `is_inside` BOOLEAN, `left` and
        `right` (null where a side lacks the row) and `status`: matched, different, only_left or
        only_right.
    """
    keys = [*subject.key, *_series_beside(subject)]
    sides = [
        side.select(*keys, F.struct("instrument", "row.*", "copies", "others").alias(name))
        for name, side in zip(SIDES, (left, right), strict=True)
    ]
    inside = [_inside(F.col(f"{name}.moment"), window) for name in SIDES]
    status = (
        F.when(F.col("right").isNull(), F.lit("only_left"))
        .when(F.col("left").isNull(), F.lit("only_right"))
        .when(_differ(subject), F.lit("different"))
        .otherwise(F.lit("matched"))
    )
    return (
        sides[0]
        .join(sides[1], on=keys, how="full")
        .select(
            *keys,
            *[F.coalesce(f"left.{name}", f"right.{name}").alias(name) for name in _SHARED],
            (inside[0] | inside[1]).alias("is_inside"),
            *SIDES,
            status.alias("status"),
        )
    )


def differing(subject: Subject) -> Column:
    """Return the fields in which the sides of a pair differ.

    It is an ARRAY<STRUCT<field, left_value, right_value>>.
    """
    fields = []
    for name in subject.fields:
        left, right = F.col(f"left.{name}"), F.col(f"right.{name}")
        differs = ~left.eqNullSafe(right)
        if name in subject.where_sent:
            differs = F.coalesce(left != right, F.lit(False))
        said = [
            side.cast("string").alias(f"{of}_value")
            for of, side in (("left", left), ("right", right))
        ]
        fields.append(F.when(differs, F.struct(F.lit(name).alias("field"), *said)))
    return F.array_compact(F.array(*fields))


def _differ(subject: Subject) -> Column:
    differs = F.col("left.whole") != F.col("right.whole")
    for name in subject.where_sent:
        differs |= F.coalesce(F.col(f"left.{name}") != F.col(f"right.{name}"), F.lit(False))
    return differs


def _inside(moment: Column, window: tuple[datetime, datetime]) -> Column:
    within = (moment >= F.lit(window[0])) & (moment < F.lit(window[1]))
    return F.coalesce(within, F.lit(False))


def _series_beside(subject: Subject) -> list[str]:
    return [] if subject.series else ["bar_interval"]


def _once(names: tuple[str, ...]) -> list[str]:
    return list(dict.fromkeys(names))
