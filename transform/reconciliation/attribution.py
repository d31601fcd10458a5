"""The cause of each difference, from what is known beside the two sides; the first that holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Literal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from transform import grid, intervals
from transform.reconciliation.evidence import Evidence, presented
from transform.reconciliation.pairs import SIDES, differing
from transform.reconciliation.subjects import MILLISECOND, Subject

Source = Literal["live", "rest", "archive"]
INVALIDATED = "invalidated_by_the_exchange"
#: Prints that an exchange makes beside its book: it gives them in no answer.
OFF_BOOK = ("insurance_fund", "adl")
#: What may differ where one side counts in another unit.
_BY_UNIT = ("quantity", "quote_quantity", "quantity_unit", "contract_size", MILLISECOND)
_THOUSAND = 1000
_SERIES = ("exchange", "kind", "instrument_uid", "bar_interval")
#: A bar that was asked for so soon may not have been final.
_SETTLES = "INTERVAL 10 SECONDS"


@dataclass(frozen=True, slots=True)
class Frame:
    """What the two sides are, and the window in which they are compared.

    Attributes:
        left: where the left side comes from.
        right: where the right side comes from.
        window: [start, end).
        edge: how near to an end of the window a side may still begin, or have ended.
    """

    left: Source
    right: Source
    window: tuple[datetime, datetime]
    edge: timedelta


def attributed(
    pairs: DataFrame,
    subject: Subject,
    frame: Frame,
    evidence: Evidence,
    settled: DataFrame | None = None,
) -> DataFrame:
    """Give each pair in the window that is not matched its cause.

    Args:
        pairs: as `pairs.paired` returns them.
        subject: what is compared.
        frame: what the sides are.
        evidence: what could explain a row that is lacking.
        settled: rows of `certificates.SETTLED`: of rows that both sides have beside these pairs.

    Returns:
        These pairs, with `until`, `differing` (see there), `cause`, `incident_id` and `proof`
        STRING: what the cause is read from, as text.
    """
    odd = pairs.where(F.col("is_inside") & (F.col("status") != "matched"))
    is_different = F.col("status") == "different"
    told = odd.withColumns(
        {"until": _until(subject), "differing": F.when(is_different, differing(subject))}
    )
    known = presented(told, subject, evidence).join(
        F.broadcast(_extent(pairs, settled)), on=list(_SERIES), how="left"
    )
    cause = F.when(is_different, _differs(subject, frame)).otherwise(_lacks(subject, frame))
    return known.withColumn("cause", cause).select(
        *told.columns, "incident_id", "cause", _proof().alias("proof")
    )


def _extent(pairs: DataFrame, beside: DataFrame | None) -> DataFrame:
    """Return the lowest and highest id that each side has, in the window and around it."""
    ends = [
        made(F.when(F.col(side).isNotNull(), F.col("id"))).alias(f"{side}_{name}")
        for side in SIDES
        for name, made in _ENDS
    ]
    of_pairs = pairs.groupBy(*_SERIES).agg(*ends)
    if beside is None:
        return of_pairs
    of_both = [F.col(name).alias(f"{side}_{name}") for side in SIDES for name, _ in _ENDS]
    both = of_pairs.unionByName(beside.select(*_SERIES, *of_both)).groupBy(*_SERIES)
    return both.agg(
        *[made(f"{side}_{name}").alias(f"{side}_{name}") for side in SIDES for name, made in _ENDS]
    )


_ENDS = (("lowest", F.min), ("highest", F.max))


def _until(subject: Subject) -> Column:
    """Return where a row's time ends: a print is a moment, a bar has a length."""
    if not subject.series:
        return F.col("moment")
    return F.coalesce(
        grid.shifted(F.col("moment"), intervals.length(F.col("bar_interval"))), F.col("moment")
    )


def _lacks(subject: Subject, frame: Frame) -> Column:
    """Return why a side lacks a row."""
    source = F.when(F.col("lacking") == "left", F.lit(frame.left)).otherwise(F.lit(frame.right))
    reasons = F.col("rejection.reasons")
    asked, claimed = F.col("refill").isNotNull(), F.col("claim").isNotNull()
    return (
        F.when(F.array_contains(reasons, INVALIDATED), F.lit(INVALIDATED))
        .when(reasons.isNotNull(), F.lit("quarantined"))
        .when(_off_book(subject), F.lit("off_book"))
        .when((source == "live") & asked, F.lit("disconnect"))
        .when((source == "rest") & asked, F.lit("exchange_hole"))
        .when(F.col("incident_cause").isNotNull(), F.col("incident_cause"))
        .when((source == "archive") & claimed, F.lit("archive_hole"))
        .when(_of_lacking("lowest").isNull() & ~claimed, F.lit("not_held"))
        .when(_at_edge(frame), F.lit("edge_of_window"))
        .otherwise(F.lit("unexplained"))
    )


def _off_book(subject: Subject) -> Column:
    if "print_kind" not in subject.fields:
        return F.lit(False)
    kind = F.coalesce("left.print_kind", "right.print_kind")
    return F.coalesce(kind.isin(*OFF_BOOK), F.lit(False))


def _of_lacking(end: str) -> Column:
    """Return the lowest or highest id of the side that lacks the row."""
    return F.when(F.col("lacking") == "left", F.col(f"left_{end}")).otherwise(F.col(f"right_{end}"))


def _at_edge(frame: Frame) -> Column:
    """Return whether a row lies beyond all that the side holds, right at an end of the window."""
    start, end = (F.lit(moment) for moment in frame.window)
    edge = F.expr(f"INTERVAL {round(frame.edge.total_seconds() * 1000)} MILLISECONDS")
    before = (F.col("id") < _of_lacking("lowest")) & (F.col("moment") < start + edge)
    behind = (F.col("id") > _of_lacking("highest")) & (F.col("until") >= end - edge)
    return F.coalesce(before | behind, F.lit(False))


def _differs(subject: Subject, frame: Frame) -> Column:
    """Return why two sides say different things of one row."""
    republished = [
        _said_before(side, other)
        for side, other, source in (("left", "right", frame.left), ("right", "left", frame.right))
        if source == "archive"
    ]
    again = reduce(or_, republished, F.lit(False))
    cause = F.when(again, F.lit("republished"))
    cause = (
        cause.when(_early(), F.lit("bar_fetched_too_early"))
        if subject.series
        else cause.when(_by_another_unit(), F.lit("unit"))
    )
    return cause.otherwise(F.lit("undetermined"))


def _said_before(side: str, other: str) -> Column:
    """Return whether a side once said what the other one says."""
    digest = F.col(f"{other}.digest")
    return F.exists(f"{side}.others", lambda said: said["digest"] == digest)


def _by_another_unit() -> Column:
    """Return whether all that differs is one amount, or one time, in two units."""
    left, right = F.col("left"), F.col("right")
    only_units = F.forall("differing", lambda one: one["field"].isin(*_BY_UNIT))
    size = F.coalesce(left["contract_size"], right["contract_size"])
    amounts = (
        left["quantity"].eqNullSafe(right["quantity"])
        | _times(left["quantity"], right["quantity"], size)
        | _times(left["quantity"], right["quantity"], F.lit(_THOUSAND))
    )
    times = (left[MILLISECOND] == right[MILLISECOND]) | _times(
        left[MILLISECOND], right[MILLISECOND], F.lit(_THOUSAND)
    )
    return F.coalesce(only_units & amounts & times, F.lit(False))


def _times(left: Column, right: Column, factor: Column) -> Column:
    """Return whether one number is the other times a factor that is not 1."""
    multiplied = (F.try_multiply(left, factor) == right) | (F.try_multiply(right, factor) == left)
    return F.coalesce((factor != 1) & multiplied, F.lit(False))


def _early() -> Column:
    """Return whether the side that has less of a bar asked before it could be final."""
    settled = F.col("until") + F.expr(_SETTLES)
    return _forming("left", "right", settled) | _forming("right", "left", settled)


def _forming(early: str, late: str, settled: Column) -> Column:
    asked = [F.col(f"{side}.end_download_timestamp") for side in (early, late)]
    # of an equal volume nothing was missing yet
    less = F.col(f"{early}.volume_sent") < F.col(f"{late}.volume_sent")
    return F.coalesce((asked[0] < settled) & (asked[0] < asked[1]) & less, F.lit(False))


def _proof() -> Column:
    """Return what the cause was read from: a file, and what it is."""
    rejection = F.concat_ws(", ", "rejection.reasons")
    place = F.concat(
        F.lit(" in "),
        "rejection.bronze_file",
        F.lit(":"),
        F.col("rejection.bronze_line").cast("string"),
    )
    cause = F.col("cause")
    return (
        F.when(cause.isin(INVALIDATED, "quarantined"), F.concat(rejection, place))
        .when(
            cause.isin("disconnect", "exchange_hole"),
            F.concat(F.lit("asked for by its id: "), "refill.bronze_file"),
        )
        .when(cause == "archive_hole", F.concat(F.lit("covered by "), "claim.bronze_file"))
        .when(cause == "republished", F.concat(F.lit("said before in "), _other_file()))
    )


def _other_file() -> Column:
    said = F.flatten(F.array(F.col("left.others"), F.col("right.others")))
    return F.get(F.array_sort(F.transform(said, lambda one: one["bronze_file"])), F.lit(0))
