"""Stretches of bars without prints, as `gold.ohlcv_filled` tells them: quiet, or unknown."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from jobs import views
from jobs.context import Context
from jobs.gold import newest
from jobs.publishing.bars import KEY, NEVER, Bound, Published, named, since
from jobs.publishing.changed import LOOK_BACK, bases, moments
from lake.frames import local_frame
from lake.tables import GOLD_OHLCV, GOLD_OHLCV_REVISIONS, OPS_CONTINUITY
from serve.database.intervals import MINUTES, length_ms
from serve.database.schema import RUNS
from serve.publishing.publisher import Publisher

SERIES = T.StructType(
    [
        T.StructField("exchange", T.StringType()),
        T.StructField("kind", T.StringType()),
        T.StructField("instrument_uid", T.StringType()),
        T.StructField("bar_interval", T.StringType()),
        T.StructField("series_id", T.IntegerType()),
        T.StructField("bar_minutes", T.ShortType()),
        T.StructField("until", T.LongType()),
        T.StructField("first", T.LongType()),
    ]
)


async def publish(
    publisher: Publisher, context: Context, published: Published, held: Mapping[str, int]
) -> int:
    """Publish the stretches of series from where anything has changed that they follow from.

    Args:
        publisher: open; the bars are in it.
        context: the run.
        published: the bars, which the stretches lie between; it is told what they follow from.
        held: up to which version each table of the lake was read before.

    Returns:
        The version of `ops.continuity` that they follow from.
    """
    continuity = context.tables.version(OPS_CONTINUITY)
    now = bases(context, published, continuity)
    published.runs_of = {bound.key: str(basis) for bound, basis in now.items()}
    proofs_held = held.get(OPS_CONTINUITY.name)
    others = await moments(publisher, context, now, proofs_held, published.earliest)
    published.moved = others.keys()
    if not others:
        return continuity
    firsts = await _firsts(publisher, others)
    found = _stretches(context, published.version, firsts).toArrow()
    places = ", ".join(str((*bound.key, first)) for bound, first in firsts.items())
    where = (
        f"EXISTS (SELECT 1 FROM (VALUES {places}) AS v WHERE v.column1 = series_id"  # noqa: S608
        " AND v.column2 = bar_minutes AND v.column3 <= from_time)"
    )
    if await _differs(publisher, found, where):
        await publisher.replace(RUNS, found, where)
    return continuity


async def _firsts(publisher: Publisher, moments: Mapping[Bound, int]) -> Mapping[Bound, int]:
    """Return the bar with a price that lies safely before each moment: what follows knows it.

    `NEVER` where there is none.
    """
    places = []
    for bound, moment in moments.items():
        length = length_ms(MINUTES[bound.pair.interval])
        # a hole touches the bars at its borders too
        places.append((*bound.key, max(NEVER, moment // length * length - length)))
    rows = await publisher.rows(
        "SELECT v.column1, v.column2, (SELECT max(b.bar_start) FROM bars b"  # noqa: S608
        " WHERE b.series_id = v.column1 AND b.bar_minutes = v.column2"
        " AND b.bar_start <= v.column3 AND b.close IS NOT NULL)"
        f" FROM (VALUES {', '.join(map(str, places))}) AS v"
    )
    found = {(row[0], row[1]): row[2] for row in rows}
    return {bound: NEVER if found[bound.key] is None else found[bound.key] for bound in moments}


async def _differs(publisher: Publisher, found: pa.Table, where: str) -> bool:
    names = ", ".join(found.column_names)
    held = await publisher.rows(f"SELECT {names} FROM runs WHERE {where}")  # noqa: S608 - our words
    return sorted(map(tuple, held)) != sorted(
        zip(*(column.to_pylist() for column in found.columns), strict=True)
    )


def _stretches(context: Context, version: int, firsts: Mapping[Bound, int]) -> DataFrame:
    rows = []
    for bound, first in firsts.items():
        name, interval = bound.pair.name, bound.pair.interval
        key = (name.exchange, name.kind, name.instrument_uid, interval)
        rows.append((*key, *bound.key, bound.until, first))
    series = F.broadcast(local_frame(context.spark, rows, SERIES))
    intervals = tuple(sorted({bound.pair.interval for bound in firsts}))
    # of the same version as what is published: gold.ohlcv may be a step behind or ahead
    everything = context.tables.read_version(GOLD_OHLCV_REVISIONS, version)
    held = everything.where(_reach(firsts)).join(series, list(KEY), "inner")
    held = held.where(F.unix_millis("bar_start") >= F.col("first"))
    held = newest(held.select(*everything.columns))
    lowest = min(firsts.values())
    filled = views.ohlcv_filled(
        context,
        intervals,
        held.select(*GOLD_OHLCV.schema.names),
        None if lowest == NEVER else lowest - LOOK_BACK,
    )
    known = filled.where("first_trade_seq IS NULL").join(series, list(KEY), "inner")
    # quiet bars that no price goes before are as empty as unknown ones
    state = F.when(F.col("is_filled"), "quiet").otherwise("unknown")
    told = known.select(
        "series_id",
        "bar_minutes",
        F.unix_millis("bar_start").alias("from_time"),
        F.unix_millis("bar_end").alias("until_time"),
        state.alias("state"),
        "built_from",
        "until",
    )
    return _joined(told.where("until_time <= until"))


def _reach(firsts: Mapping[Bound, int]) -> Column:
    """Return what each bar from the first ones on meets, and files without them do not."""
    whole = [bound for bound, first in firsts.items() if first == NEVER]
    lowest = [first for first in firsts.values() if first != NEVER]
    terms = [named(whole)] if whole else []
    terms += [since(min(lowest))] if lowest else []
    return terms[0] if len(terms) == 1 else terms[0] | terms[1]


def _joined(bars: DataFrame) -> DataFrame:
    """Join bars that lie side by side and are alike."""
    ordered = Window.partitionBy("series_id", "bar_minutes").orderBy("from_time")
    alike = ("state", "built_from")
    goes_on = F.lag("until_time").over(ordered) == F.col("from_time")
    for name in alike:
        goes_on &= F.lag(name).over(ordered) == F.col(name)
    begins = F.when(goes_on, 0).otherwise(1)
    up_to_here = ordered.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    parted = bars.withColumn("begins", begins).withColumn("part", F.sum("begins").over(up_to_here))
    return (
        parted.groupBy("series_id", "bar_minutes", *alike, "part")
        .agg(F.min("from_time").alias("from_time"), F.max("until_time").alias("until_time"))
        .select("series_id", "bar_minutes", "from_time", "until_time", *alike)
    )
