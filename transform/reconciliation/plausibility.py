"""What rows must keep whatever the other side says: no gap, time that grows, sound bars."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from transform import spans
from transform.reconciliation.causes import is_explained
from transform.reconciliation.certificates import SERIES
from transform.reconciliation.pairs import SIDES
from transform.reconciliation.subjects import MILLISECOND, Subject

GAP, BACKWARDS, ILLOGICAL = "gap", "time_backwards", "ohlc_illogical"
_KEY = ("exchange", "kind", "instrument", "instrument_uid")


def implausible(pairs: DataFrame, ledger: DataFrame, subject: Subject) -> DataFrame:
    """Return what is wrong with the rows of both sides taken together.

    Args:
        pairs: as `pairs.paired` returns them, in the window.
        ledger: rows of `schemas.CONTINUITY` of the dataset: a proved hole explains a gap.
        subject: what is compared.

    Returns:
        One row a finding, in the shape of every check: `gap` (ids that neither side has between
        ids that one has), `time_backwards` (a print before the one with the lower id) and
        `ohlc_illogical` (a bar whose low is above its open or close, whose high is below them, or
        whose volume and count disagree). The exchange's own oddities are `published_odd`.
    """
    if subject.series:
        return _illogical(pairs)
    return _gaps(pairs, ledger).unionByName(_backwards(pairs))


def _gaps(pairs: DataFrame, ledger: DataFrame) -> DataFrame:
    in_order = Window.partitionBy(*_KEY, "bar_interval").orderBy("id")
    following = {"next": F.lead("id").over(in_order), "until": F.lead("moment").over(in_order)}
    gaps = (
        pairs.withColumns(following)
        .where("next > id + 1")
        .withColumns({"first_id": F.col("id") + 1, "last_id": F.col("next") - 1})
    )
    proved = (
        ledger.where("entry = 'hole' AND state = 'proved'")
        .groupBy(*_KEY)
        .agg(F.collect_list(spans.of_row()).alias("proved"))
    )
    known = gaps.join(F.broadcast(proved), on=list(_KEY), how="left")
    inside = F.filter(
        "proved",
        lambda hole: (
            (hole["first_id"] <= F.col("first_id")) & (F.col("last_id") <= hole["last_id"])
        ),
    )
    cause = F.coalesce(F.get(inside, F.lit(0))["cause"], F.lit("unexplained"))
    rows = F.col("last_id") - F.col("first_id") + 1
    return _told(known.withColumn("rows", rows), GAP, cause, F.col("moment"))


def _backwards(pairs: DataFrame) -> DataFrame:
    in_order = Window.partitionBy(*_KEY, "bar_interval").orderBy("id")
    at = F.coalesce(*[F.col(f"{side}.{MILLISECOND}") for side in SIDES])
    timed = pairs.withColumn("at", at).withColumn("before", F.lag("at").over(in_order))
    return _told(_single(timed.where("at < before")), BACKWARDS, _odd(), F.col("moment"))


def _illogical(pairs: DataFrame) -> DataFrame:
    broken = F.lit(False)
    for side in SIDES:
        it = F.col(side)
        broken |= F.coalesce(
            (it["low"] > F.least(it["open"], it["close"]))
            | (it["high"] < F.greatest(it["open"], it["close"]))
            | ((it["volume_sent"] == 0) != (it["trade_count"] == 0)),
            F.lit(False),
        )
    return _told(_single(pairs.where(broken)), ILLOGICAL, _odd(), F.col("moment"))


def _single(rows: DataFrame) -> DataFrame:
    return rows.withColumns(
        {
            "first_id": F.col("id"),
            "last_id": F.col("id"),
            "rows": F.lit(1).cast("bigint"),
            "until": F.col("moment"),
        }
    )


def _odd() -> Column:
    return F.lit("published_odd")


def _told(rows: DataFrame, field: str, cause: Column, moment: Column) -> DataFrame:
    nothing = F.lit(None).cast("string")
    return rows.select(
        *SERIES,
        *("first_id", "last_id", "rows"),
        moment.alias("from_timestamp"),
        F.col("until").alias("until_timestamp"),
        F.lit(field).alias("field"),
        nothing.alias("left_value"),
        nothing.alias("right_value"),
        cause.alias("cause"),
        is_explained(cause).alias("is_explained"),
        nothing.alias("incident_id"),
        nothing.alias("evidence"),
        *[
            F.col(f"{side}.{name}").alias(f"{side}_{name}")
            for side in SIDES
            for name in ("bronze_file", "bronze_line")
        ],
    )
