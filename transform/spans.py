"""Intervals of ids and of times: joined where they touch, and cut by one another."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from lake import schemas

#: A run of ids, its trade numbers and times: what the arrays of this module hold.
SPAN = T.StructType(
    [
        T.StructField(field.name, field.dataType)
        for field in schemas.CONTINUITY
        if field.name not in {"exchange", "kind", "instrument", "instrument_uid"}
        and field.name not in {"dataset", "entry"}
    ]
)
_LOWEST = ("first_id", "first_trade_seq", "proved_from")
_HIGHEST = ("last_id", "last_trade_seq", "proved_until")


def numbered(rows: DataFrame, key: Sequence[str], start: Column, end: Column) -> DataFrame:
    """Number the islands of half-open intervals: `island` is equal for those that touch.

    Args:
        rows: one row an interval [start, end), in any order, overlapping or not.
        key: the columns within which intervals touch at all.
        start: where an interval starts.
        end: where it ends; for ids the last id plus one.
    """
    in_order = Window.partitionBy(*key).orderBy("_start", "_end")
    before = in_order.rowsBetween(Window.unboundedPreceding, -1)
    upto = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    reach = F.max("_end").over(before)
    opens = F.when(F.col("_start") <= reach, F.lit(0)).otherwise(F.lit(1))
    return (
        rows.select("*", start.alias("_start"), end.alias("_end"))
        .withColumn("_opens", opens)
        .withColumn("island", F.sum("_opens").over(upto))
        .drop("_start", "_end", "_opens")
    )


def of_row() -> Column:
    """Return a row's own columns as one span."""
    return F.struct(*[F.col(field.name) for field in SPAN])


def is_empty(span: Column) -> Column:
    """Return whether a span holds no id: an answer of nothing, a jump of trade numbers."""
    return span["first_id"] > span["last_id"]


def hull(spans: Column) -> Column:
    """Return the span over all spans of an array; all its fields are null if there is none."""
    lowest = {name: F.array_min(spans[name]) for name in _LOWEST}
    highest = {name: F.array_max(spans[name]) for name in _HIGHEST}
    first = {name: F.get(spans[name], F.lit(0)) for name in ("cause", "state")}
    fields = lowest | highest | first
    return F.struct(*[fields[field.name].alias(field.name) for field in SPAN])


def joined_by_id(spans: Column) -> Column:
    """Join spans whose ids overlap or adjoin; sorted by id."""
    return _joined(
        F.array_sort(spans), lambda left, right: right["first_id"] <= left["last_id"] + 1
    )


def joined_by_time(spans: Column) -> Column:
    """Join spans whose times overlap or touch, whatever their ids; sorted by time."""
    in_time = _ordered(spans, lambda span: F.struct(span["proved_from"], span["proved_until"]))
    return _joined(in_time, lambda left, right: right["proved_from"] <= left["proved_until"])


def joined_by_cause(spans: Column) -> Column:
    """Join spans of one cause and state whose ids overlap or adjoin."""
    by_cause = _ordered(
        spans, lambda span: F.struct(span["cause"], span["state"], span["first_id"])
    )
    return _joined(
        by_cause,
        lambda left, right: (
            (left["cause"] == right["cause"])
            & (left["state"] == right["state"])
            & (right["first_id"] <= left["last_id"] + 1)
        ),
    )


def without(ranges: Column, cuts: Column) -> Column:
    """Return the parts of an array's spans that no cut covers.

    Args:
        ranges: spans with ids.
        cuts: spans as `joined_by_id` returns them.
    """

    def part(span: Column, place: Column) -> Column:
        after = F.get(cuts, place - 1)["last_id"] + 1
        until = F.get(cuts, place)["first_id"] - 1
        return _narrowed(span, after, until)

    places = F.sequence(F.lit(0), F.size(cuts))
    parts = F.transform(ranges, lambda span: F.transform(places, lambda place: part(span, place)))
    return F.filter(F.flatten(parts), lambda span: ~is_empty(span))


def within(ranges: Column, cuts: Column) -> Column:
    """Return the parts of an array's spans that a cut covers; their other fields stay."""
    parts = F.transform(
        ranges,
        lambda span: F.transform(
            cuts, lambda cut: _narrowed(span, cut["first_id"], cut["last_id"])
        ),
    )
    return F.filter(F.flatten(parts), lambda span: ~is_empty(span))


def _narrowed(span: Column, first: Column, last: Column) -> Column:
    """Narrow a span to ids between two bounds; a bound that is null bounds nothing."""
    narrower = span.withField("first_id", F.greatest(span["first_id"], first))
    return narrower.withField("last_id", F.least(span["last_id"], last))


def _ordered(spans: Column, by: Callable[[Column], Column]) -> Column:
    keyed = F.transform(spans, lambda span: F.struct(by(span).alias("by"), span.alias("span")))
    return F.array_sort(keyed)["span"]


def _joined(in_order: Column, touches: Callable[[Column, Column], Column]) -> Column:
    def step(done: Column, span: Column) -> Column:
        last = F.get(done, F.size(done) - 1)
        rest = F.slice(done, F.lit(1), F.greatest(F.size(done) - 1, F.lit(0)))
        grown = F.concat(rest, F.array(hull(F.array(last, span))))
        return F.when(touches(last, span), grown).otherwise(F.concat(done, F.array(span)))

    return F.aggregate(in_order, F.array().cast(T.ArrayType(SPAN)), step)
