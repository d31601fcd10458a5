"""Trade numbers that futures' single trades skip: off the book, or lost, as aggregates tell."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from lake import schemas
from transform import missing, spans

ASSUMED = "assumed"
IDENTITY = missing.IDENTITY


def weighed(holes: DataFrame, aggregates: DataFrame) -> DataFrame:
    """Return holes of single trades, with those that are assumed to be off the book judged.

    Aggregates gather the book's trades alone. So a number from an aggregate's first to its last
    one is of the book and we lack it, while one between two aggregates whose own ids adjoin is off
    the book. Of any other number nothing is known, and it stays assumed.

    Args:
        holes: rows of `schemas.CONTINUITY`, as `missing.missing` tells of trades.
        aggregates: rows of `silver.agg_trades` around the holes.

    Returns:
        The holes, cut where what is true of their ids changes: `left_out` and open within an
        aggregate, `off_book` and proved between two.
    """
    assumed = F.col("state") == ASSUMED
    names = schemas.CONTINUITY.fieldNames()
    told = _told(aggregates)
    cuts = [told[name].alias(f"_{name}") for name in told.columns if name not in IDENTITY]
    overlaps = (F.col("_first_id") <= F.col("last_id")) & (F.col("_last_id") >= F.col("first_id"))
    near = told.select(*[told[name].alias(f"_{name}") for name in IDENTITY], *cuts)
    same = [F.col(name) == F.col(f"_{name}") for name in IDENTITY]
    pairs = holes.where(assumed).join(near, [*same, overlaps], "left")
    cut = F.struct(*[F.col(f"_{field.name}").alias(field.name) for field in spans.SPAN])
    judged = (
        pairs.groupBy(*names)
        .agg(*[_collected(cut, cause).alias(f"_{cause}") for cause in ("left_out", "off_book")])
        .withColumn("_part", F.explode(_parts()))
    )
    kept = [name for name in names if name not in spans.SPAN.fieldNames()]
    parts = judged.select(*kept, "_part.*").withColumns(
        {"first_trade_seq": F.col("first_id"), "last_trade_seq": F.col("last_id")}
    )
    return holes.where(~assumed).select(*names).unionByName(parts.select(*names))


def _told(aggregates: DataFrame) -> DataFrame:
    """Return which trade numbers aggregates speak of, as ids: `left_out` where they cover them."""
    held = missing.present(aggregates, "agg_trades")
    in_order = Window.partitionBy(*IDENTITY).orderBy("first_id")
    before = F.lag(F.struct("last_id", "last_trade_seq")).over(in_order)
    adjoin = before["last_id"] + 1 == F.col("first_id")
    covered = held.select(*IDENTITY, *_span("first_trade_seq", "last_trade_seq", "left_out"))
    between = (
        held.withColumn("before", F.when(adjoin, before))
        .where(F.col("before.last_trade_seq") + 1 < F.col("first_trade_seq"))
        .withColumn("after", F.col("before.last_trade_seq") + 1)
        .withColumn("until", F.col("first_trade_seq") - 1)
        .select(*IDENTITY, *_span("after", "until", "off_book"))
    )
    return covered.unionByName(between)


def _span(first: str, last: str, cause: str) -> list[Column]:
    known = {"first_id": F.col(first), "last_id": F.col(last), "cause": F.lit(cause)}
    return [
        known.get(field.name, F.lit(None)).cast(field.dataType).alias(field.name)
        for field in spans.SPAN
    ]


def _collected(cut: Column, cause: str) -> Column:
    return F.collect_list(F.when(F.col("_cause") == cause, cut)).cast(T.ArrayType(spans.SPAN))


def _parts() -> Column:
    hole = F.array(spans.of_row())
    covered = spans.joined_by_id(F.col("_left_out"))
    between = spans.joined_by_id(F.col("_off_book"))
    rest = spans.without(hole, covered)
    return F.concat(
        _caused(spans.within(hole, covered), "left_out", "open"),
        _caused(spans.within(rest, between), "off_book", "proved"),
        spans.without(rest, between),
    )


def _caused(holes: Column, cause: str, state: str) -> Column:
    return F.transform(
        holes,
        lambda hole: hole.withField("cause", F.lit(cause)).withField("state", F.lit(state)),
    )
