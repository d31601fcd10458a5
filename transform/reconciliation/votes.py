"""Several publications of the exchange's own bars: where they disagree, one may be outvoted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from transform.reconciliation import certificates
from transform.reconciliation.causes import UNDETERMINED, is_explained
from transform.reconciliation.certificates import SERIES, Keep
from transform.reconciliation.pairs import one_each
from transform.reconciliation.subjects import SUBJECTS

SUBJECT = SUBJECTS["klines"]
_BAR = [*SUBJECT.key, "instrument"]
OUTVOTED = "outvoted"
_PLACE = ("bronze_file", "bronze_line")


@dataclass(frozen=True, slots=True)
class Vote:
    """What a vote came to: `totals` and `differences` in the shape of every check."""

    totals: DataFrame
    differences: DataFrame


def vote(voters: Mapping[str, DataFrame], window: tuple[datetime, datetime], *, keep: Keep) -> Vote:
    """Let the publications of each bar vote on its content.

    Where more of them say one thing than any other, the others are `outvoted`. Where as many say
    one thing as another, nobody but the exchange could tell: `undetermined`, and each is held
    against the first by name. A bar that one publication alone has is not voted on.

    Args:
        voters: publication -> valid rows of `schemas.KLINES`; of several versions of one
            publication the newest counts.
        window: [start, end) of the bars' starts.
        keep: given the ballots.
    """
    ballots = [
        one_each(rows, SUBJECT, newest=True).select(*_BAR, F.lit(name).alias("voter"), "row")
        for name, rows in sorted(voters.items())
    ]
    moment = F.col("row.moment")
    inside = (moment >= F.lit(window[0])) & (moment < F.lit(window[1]))
    cast = keep(reduce(DataFrame.unionByName, ballots).where(inside))
    bars = cast.groupBy(*_BAR).agg(
        F.count(F.lit(1)).alias("votes"), F.count_distinct("row.digest").alias("opinions")
    )
    differences = _differences(cast.join(bars.where("opinions > 1"), on=_BAR, how="inner"))
    return Vote(_totals(bars.where("votes > 1"), differences), differences)


def _differences(contested: DataFrame) -> DataFrame:
    of_bar = Window.partitionBy(*_BAR)
    counted = contested.withColumn(
        "support", F.count(F.lit(1)).over(Window.partitionBy(*_BAR, "row.digest"))
    )
    ranked = counted.withColumn("most", F.max("support").over(of_bar)).withColumns(
        {
            "leaders": F.size(F.collect_set(_if_leading("row.digest")).over(of_bar)),
            "chosen": F.min(_if_leading(F.struct("voter", "row"))).over(of_bar),
            "agreed": F.sort_array(F.collect_set(_if_leading("voter")).over(of_bar)),
        }
    )
    is_tie = F.col("leaders") > 1
    beaten = ranked.where(F.col("row.digest") != F.col("chosen.row.digest"))
    return beaten.withColumn("at", F.explode(_fields())).select(
        *SERIES,
        F.col("id").alias("first_id"),
        F.col("id").alias("last_id"),
        F.lit(1).cast("bigint").alias("rows"),
        F.col("row.moment").alias("from_timestamp"),
        F.timestamp_millis(F.col("row.close_millisecond") + 1).alias("until_timestamp"),
        "at.*",
        F.when(is_tie, F.lit(UNDETERMINED)).otherwise(F.lit(OUTVOTED)).alias("cause"),
        is_explained(F.lit(OUTVOTED)).alias("is_explained"),
        _told().alias("evidence"),
        *[F.col(f"chosen.row.{name}").alias(f"left_{name}") for name in _PLACE],
        *[F.col(f"row.{name}").alias(f"right_{name}") for name in _PLACE],
    )


def _told() -> Column:
    """Return who says what, in words."""
    return F.concat(F.lit("right is "), "voter", F.lit("; left is "), F.array_join("agreed", ", "))


def _if_leading(what: str | Column) -> Column:
    return F.when(F.col("support") == F.col("most"), F.col(what) if isinstance(what, str) else what)


def _fields() -> Column:
    fields = []
    for name in SUBJECT.sent:
        chosen, beaten = F.col(f"chosen.row.{name}"), F.col(f"row.{name}")
        said = [
            chosen.cast("string").alias("left_value"),
            beaten.cast("string").alias("right_value"),
        ]
        of_field = F.struct(F.lit(name).alias("field"), *said)
        fields.append(F.when(~chosen.eqNullSafe(beaten), of_field))
    return F.array_compact(F.array(*fields))


def _totals(bars: DataFrame, differences: DataFrame) -> DataFrame:
    fields = len(SUBJECT.sent)
    counted = bars.groupBy(*SERIES).agg(
        F.count(F.lit(1)).alias("left_rows"),
        F.count(F.lit(1)).alias("right_rows"),
        F.count_if(F.col("opinions") == 1).alias("matched"),
        F.sum((F.col("votes") - 1) * fields).alias("compared"),
        *[
            F.lit(0).cast("bigint").alias(name)
            for name in ("equal_after_rounding", "not_derivable", "only_left", "only_right")
        ],
    )
    off = differences.groupBy(*SERIES).agg(F.count(F.lit(1)).alias("different"))
    totals = counted
    for part in (off, certificates.by_cause(differences)):
        totals = totals.join(part, on=list(SERIES), how="left")
    return certificates.filled(totals).withColumn("equal", F.col("compared") - F.col("different"))
