"""Bars of gold: what has changed since the last publication, up to the complete-until marks.

`gold.ohlcv_revisions` holds every value that a bar ever had and only grows; `gold.ohlcv` is each
bar's newest of them. So what is new since a version is what was appended since: nothing can be
taken back without another row, and no key goes away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from jobs.context import Context
from jobs.options import Segment
from lake.frames import local_frame
from lake.tables import GOLD_OHLCV, GOLD_OHLCV_REVISIONS, OPS_WATERMARKS
from serve.database.intervals import MINUTES
from serve.database.rendering import TYPES
from serve.publishing import bars
from serve.publishing.publisher import Publisher
from serve.publishing.series import (
    Name,
    Position,
    numbered,
    positions_held,
    put_positions,
    tell_times,
    tell_units,
)
from serve.records import plain

#: Rows that are taken to the driver at once: 0.5 GB of Arrow at most.
ROWS_AT_ONCE = 500_000
#: Before any bar.
NEVER = -(1 << 62)
KEY = ("exchange", "kind", "instrument_uid", "bar_interval")
UNITS = ("quantity_unit", "base_unit", "quote_unit", "contract_size")
#: What of each series and interval is held, and what shall be.
BOUNDS = T.StructType(
    [
        T.StructField("exchange", T.StringType()),
        T.StructField("kind", T.StringType()),
        T.StructField("instrument_uid", T.StringType()),
        T.StructField("bar_interval", T.StringType()),
        T.StructField("series_id", T.IntegerType()),
        T.StructField("bar_minutes", T.ShortType()),
        T.StructField("is_fresh", T.BooleanType()),
        T.StructField("held_version", T.LongType()),
        T.StructField("held_until", T.LongType()),
        T.StructField("wanted_until", T.LongType()),
    ]
)
Listing = tuple[str, str, str]


class Pair(NamedTuple):
    """One interval of one listing, and the end of its newest bar in gold (ms)."""

    name: Name
    interval: str
    newest_end: int


class Bound(NamedTuple):
    """What is held of a series and interval, and what shall be."""

    pair: Pair
    series_id: int
    held: Position | None
    until: int


class Waiting(NamedTuple):
    """Bars that are not published: they end after their instrument's mark (ms), or it has none."""

    listing: Listing
    bars: int
    mark: int | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run publishes.

    Attributes:
        segments: exchanges, kinds and names of instruments.
        intervals: of bars.
        is_incomplete: whether bars behind the marks are published too.
    """

    segments: tuple[Segment, ...]
    intervals: tuple[str, ...]
    is_incomplete: bool

    def admits(self, name: Name) -> bool:
        """Tell whether a series is wanted."""
        return any(
            (one.exchange, one.kind) == (name.exchange, name.kind) and one.admits(name.instrument)
            for one in self.segments
        )


@dataclass(slots=True)
class Published:
    """What of the bars was published: the positions are written once all else is done.

    `runs_of` names the versions of the lake that the runs follow from.
    """

    version: int
    bounds: Sequence[Bound]
    marks: Mapping[Listing, int]
    waiting: Sequence[Waiting]
    runs_of: str = ""


def marks_of(context: Context) -> Mapping[Listing, int]:
    """Return until when each instrument's candles are complete (ms)."""
    rows = context.tables.read(OPS_WATERMARKS).where(F.col("table_name") == GOLD_OHLCV.name)
    columns = (*("exchange", "kind", "instrument"), F.unix_millis("complete_until"))
    return {tuple(row[:3]): row[3] for row in rows.select(*columns).collect()}


async def publish(
    publisher: Publisher, context: Context, wanted: Wanted, marks: Mapping[Listing, int]
) -> Published:
    """Publish the bars that are new, and new values of those that are held.

    Args:
        publisher: open.
        context: the run.
        wanted: which bars.
        marks: read before anything else was: bars up to them are in gold.
    """
    version = context.tables.version(GOLD_OHLCV_REVISIONS)
    everything = context.tables.read_version(GOLD_OHLCV_REVISIONS, version)
    positions = await positions_held(publisher)
    first = min((position.version for position in positions.values()), default=version)
    feed = None
    if first < version:
        feed = context.tables.changed_between(GOLD_OHLCV_REVISIONS, first + 1, version)
    chosen = [
        pair
        for pair in _pairs(everything)
        if wanted.admits(pair.name) and pair.interval in wanted.intervals
    ]
    numbers = await numbered(publisher, {pair.name for pair in chosen})
    bounds = [_bound(pair, numbers[pair.name], positions, marks, wanted) for pair in chosen]
    if bounds:
        await _put(publisher, _rows(context, everything, feed, bounds, version), bounds)
    waiting = [] if wanted.is_incomplete else _waiting(everything, bounds, marks)
    return Published(version, bounds, marks, waiting)


async def conclude(publisher: Publisher, published: Published) -> None:
    """Write down up to where bars are held, and from when to when."""
    publisher.versions[GOLD_OHLCV_REVISIONS.name] = published.version
    positions = {
        (bound.series_id, MINUTES[bound.pair.interval]): Position(
            published.version, bound.until, published.runs_of
        )
        for bound in published.bounds
    }
    await put_positions(publisher, positions)
    for name, series_id in {(bound.pair.name, bound.series_id) for bound in published.bounds}:
        mark = published.marks.get((name.exchange, name.kind, name.instrument))
        await tell_times(publisher, series_id, mark)


def _pairs(rows: DataFrame) -> Iterator[Pair]:
    identity = ("exchange", "kind", "instrument", "instrument_uid")
    newest = F.max(F.unix_millis("bar_end"))
    for row in rows.groupBy(*identity, "bar_interval").agg(newest).collect():
        yield Pair(Name("bars", *row[:4]), row[4], row[5])


def _bound(
    pair: Pair,
    series_id: int,
    positions: Mapping[tuple[int, int], Position],
    marks: Mapping[Listing, int],
    wanted: Wanted,
) -> Bound:
    held = positions.get((series_id, MINUTES[pair.interval]))
    name = pair.name
    mark = marks.get((name.exchange, name.kind, name.instrument), NEVER)
    until = pair.newest_end if wanted.is_incomplete else mark
    # what was published stays, where a mark goes back, or where it was passed on purpose
    return Bound(pair, series_id, held, max(until, mark, held.bars_until if held else NEVER))


def _rows(
    context: Context,
    everything: DataFrame,
    feed: DataFrame | None,
    bounds: Sequence[Bound],
    version: int,
) -> DataFrame:
    """Return the values that are to be put: new ones of bars held, and all of bars not held."""
    told = F.broadcast(_frame(context, bounds))
    end = F.unix_millis("bar_end")
    is_held = end <= F.col("held_until")
    lowest = min(bound.held.bars_until if bound.held else NEVER for bound in bounds)
    newly = everything.where(_since(lowest)).join(told, list(KEY), "inner")
    newly = newly.where(~is_held & (end <= F.col("wanted_until")))
    parts = [newly]
    behind = [bound for bound in bounds if bound.held and bound.held.version < version]
    if behind and feed is not None:
        again = feed.join(told, list(KEY), "inner")
        parts.append(again.where(is_held & (F.col("_commit_version") > F.col("held_version"))))
    elif behind:
        parts.append(everything.join(told, list(KEY), "inner").where(is_held))
    columns = newly.columns
    return reduce(DataFrame.unionByName, [part.select(*columns) for part in parts])


def _since(lowest: int) -> Column:
    """Return what each bar that ends after `lowest` (ms) meets, and whole files do not."""
    if lowest <= 0:
        return F.lit(True)
    start = F.timestamp_millis(F.lit(lowest - MINUTES["1d"] * 60_000))
    month = F.year(start) * 100 + F.month(start)
    return (F.col("bar_start") >= start) & (F.col("year") * 100 + F.col("month") >= month)


def _frame(context: Context, bounds: Sequence[Bound]) -> DataFrame:
    rows = []
    for bound in bounds:
        name, interval = bound.pair.name, bound.pair.interval
        held = bound.held or Position(NEVER, NEVER)
        key = (name.exchange, name.kind, name.instrument_uid, interval)
        number = (bound.series_id, MINUTES[interval], bound.held is None)
        rows.append((*key, *number, held.version, held.bars_until, bound.until))
    return local_frame(context.spark, rows, BOUNDS)


async def _put(publisher: Publisher, rows: DataFrame, bounds: Sequence[Bound]) -> None:
    fresh = {
        (bound.series_id, MINUTES[bound.pair.interval]) for bound in bounds if bound.held is None
    }
    slices = _slices(rows)
    if not slices:
        return
    for row in _units(rows).collect():
        size = row["contract_size"]
        units = {name: row[name] for name in (*UNITS, "instrument")}
        text = None if size is None else plain(size)
        await tell_units(publisher, row["series_id"], {**units, "contract_size": text})
    await bars.put(publisher, _chunks(rows, slices), fresh)


def _units(rows: DataFrame) -> DataFrame:
    newest = F.struct("bar_start", "revision")
    told = F.max_by(F.struct(*UNITS, "instrument"), newest).alias("told")
    return rows.groupBy("series_id").agg(told).select("series_id", "told.*")


class Slice(NamedTuple):
    """Months of series of which the rows are taken at once."""

    is_fresh: bool
    months: Sequence[tuple[int, int, int, int]]


def _slices(rows: DataFrame) -> list[Slice]:
    """Part the rows so that each part fits in memory: by freshness, series, interval and month."""
    keys = ("series_id", "bar_minutes", "year", "month")
    counted = rows.groupBy("is_fresh", *keys).count().collect()
    slices: list[Slice] = []
    size = 0
    for row in sorted(counted, key=lambda one: tuple(one)[:5]):
        place = (row["series_id"], row["bar_minutes"], row["year"], row["month"])
        is_new = not slices or slices[-1].is_fresh != row["is_fresh"]
        if is_new or size + row["count"] > ROWS_AT_ONCE:
            slices.append(Slice(row["is_fresh"], []))
            size = 0
        slices[-1] = slices[-1]._replace(months=[*slices[-1].months, place])
        size += row["count"]
    return slices


def _chunks(rows: DataFrame, slices: Sequence[Slice]) -> Iterator[pa.Table]:
    newest = Window.partitionBy("series_id", "bar_minutes", "bar_start", "year", "month")
    shaped = rows.select(
        *_shaped(), "is_fresh", "year", "month", F.col("revision").alias("place")
    ).withColumn("is_newest", F.col("place") == F.max("place").over(newest))
    columns = [*TYPES, "is_newest"]
    for one in slices:
        within = shaped.where(F.col("is_fresh") == one.is_fresh)
        if len(slices) > 1:
            within = within.where(_among(one.months))
        yield within.select(*columns).toArrow()


def _among(months: Sequence[tuple[int, int, int, int]]) -> Column:
    """Return a literal predicate for the months of a slice."""
    by_month: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for series_id, minutes, year, month in months:
        by_month.setdefault((year, month), []).append((series_id, minutes))
    terms = []
    for (year, month), pairs in by_month.items():
        within = (F.col("year") == year) & (F.col("month") == month)
        named = [f"({series_id}, {minutes})" for series_id, minutes in pairs]
        among = F.expr(f"(series_id, CAST(bar_minutes AS INT)) IN ({', '.join(named)})")
        terms.append(within & among)
    return reduce(Column.__or__, terms)


def _shaped() -> list[Column]:
    taken: dict[str, Any] = {
        "bar_start": F.unix_millis("bar_start"),
        "knowledge_us": F.unix_micros("knowledge_timestamp"),
    }
    return [taken.get(name, F.col(name)).alias(name) for name in TYPES]


def _waiting(
    everything: DataFrame, bounds: Sequence[Bound], marks: Mapping[Listing, int]
) -> list[Waiting]:
    """Count the bars of one minute, or of the shortest interval, that wait for a mark."""
    shortest: dict[Name, Bound] = {}
    for bound in sorted(bounds, key=lambda one: MINUTES[one.pair.interval]):
        shortest.setdefault(bound.pair.name, bound)
    lowest = min((bound.until for bound in shortest.values()), default=None)
    if lowest is None:
        return []
    of_intervals = {bound.pair.interval for bound in shortest.values()}
    late = everything.where(_since(lowest)).where(F.col("bar_interval").isin(*of_intervals))
    late = late.where(F.unix_millis("bar_end") > lowest)
    rows = late.select(*KEY, F.unix_millis("bar_end").alias("end")).distinct()
    until = {
        (name.exchange, name.kind, name.instrument_uid, bound.pair.interval): bound
        for name, bound in shortest.items()
    }
    counts: dict[Name, int] = {}
    for row in rows.collect():
        found = until.get(tuple(row[:4]))
        if found is not None and row["end"] > found.until:
            counts[found.pair.name] = counts.get(found.pair.name, 0) + 1
    return [
        Waiting(listing, count, marks.get(listing))
        for listing, count in sorted(
            ((name.exchange, name.kind, name.instrument), count) for name, count in counts.items()
        )
    ]
