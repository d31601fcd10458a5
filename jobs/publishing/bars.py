"""Bars of gold: what has changed since the last publication, up to the complete-until marks.

`gold.ohlcv_revisions` holds every value that a bar ever had and only grows; `gold.ohlcv` is each
bar's newest of them. So what is new since a version is what was appended since: nothing can be
taken back without another row, and no key goes away.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, NamedTuple

import pyarrow as pa
from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from jobs.context import Context
from jobs.options import Segment
from jobs.publishing.pairs import ALL_HELD, Pair, pairs_of_gold
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
#: Of so many new instruments and fewer only the files are read that may hold them.
MOST_NAMED = 100
#: Before any bar.
NEVER = -(1 << 62)
KEY = ("exchange", "kind", "instrument_uid", "bar_interval")
MONTH = ("series_id", "bar_minutes", "year", "month")
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


class Bound(NamedTuple):
    """What is held of a series and interval, and what shall be."""

    pair: Pair
    series_id: int
    held: Position | None
    until: int

    @property
    def key(self) -> tuple[int, int]:
        """What the database knows the pair by: series_id and bar_minutes."""
        return (self.series_id, MINUTES[self.pair.interval])


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

    `is_all` says whether those are all pairs of gold, `earliest` where values of a series_id and
    bar_minutes begin that were new or other (ms), `runs_of` what their runs follow from, and
    `moved` the pairs of which a bar or a run may be other than it was.
    """

    version: int
    bounds: Sequence[Bound]
    marks: Mapping[Listing, int]
    waiting: Sequence[Waiting]
    is_all: bool
    earliest: Mapping[tuple[int, int], int]
    runs_of: Mapping[tuple[int, int], str] = field(default_factory=dict)
    moved: Collection[Bound] = ()


def marks_of(context: Context) -> Mapping[Listing, int]:
    """Return until when each instrument's candles are complete (ms)."""
    rows = context.tables.read(OPS_WATERMARKS).where(F.col("table_name") == GOLD_OHLCV.name)
    columns = (*("exchange", "kind", "instrument"), F.unix_millis("complete_until"))
    return {tuple(row[:3]): row[3] for row in rows.select(*columns).collect()}


async def publish(
    publisher: Publisher,
    context: Context,
    wanted: Wanted,
    marks: Mapping[Listing, int],
    held: Mapping[str, int],
) -> Published:
    """Publish the bars that are new, and new values of those that are held.

    Args:
        publisher: open.
        context: the run.
        wanted: which bars.
        marks: read before anything else was: bars up to them are in gold.
        held: up to which version each table of the lake was read before.
    """
    version = context.tables.version(GOLD_OHLCV_REVISIONS)
    everything = context.tables.read_version(GOLD_OHLCV_REVISIONS, version)
    positions = await positions_held(publisher)
    first = min((position.version for position in positions.values()), default=version)
    feed = None
    if first < version:
        feed = context.tables.changed_between(GOLD_OHLCV_REVISIONS, first + 1, version)
    # how far bars reach behind the marks is told by reading them
    known = None if wanted.is_incomplete else held.get(ALL_HELD)
    pairs = await pairs_of_gold(publisher, context, version, known, positions)
    chosen = [
        pair for pair in pairs if wanted.admits(pair.name) and pair.interval in wanted.intervals
    ]
    numbers = await numbered(publisher, {pair.name for pair in chosen})
    bounds = [_bound(pair, numbers[pair.name], positions, marks, wanted) for pair in chosen]
    rows = _rows(context, everything, feed, bounds, version)
    earliest = {} if rows is None else await _put(publisher, rows, bounds)
    waiting = [] if wanted.is_incomplete else _waiting(context, everything, bounds, marks)
    return Published(version, bounds, marks, waiting, len(chosen) == len(pairs), earliest)


async def conclude(publisher: Publisher, published: Published) -> None:
    """Write down up to where bars are held, and from when to when."""
    publisher.versions[GOLD_OHLCV_REVISIONS.name] = published.version
    if published.is_all:
        publisher.versions[ALL_HELD] = published.version
    positions = {
        bound.key: Position(published.version, bound.until, published.runs_of[bound.key])
        for bound in published.bounds
    }
    await put_positions(publisher, positions)
    for name, series_id in {(bound.pair.name, bound.series_id) for bound in published.moved}:
        mark = published.marks.get((name.exchange, name.kind, name.instrument))
        await tell_times(publisher, series_id, mark)


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
    until = pair.newest_end if wanted.is_incomplete and pair.newest_end is not None else mark
    # what was published stays, where a mark goes back, or where it was passed on purpose
    return Bound(pair, series_id, held, max(until, mark, held.bars_until if held else NEVER))


def _rows(
    context: Context,
    everything: DataFrame,
    feed: DataFrame | None,
    bounds: Sequence[Bound],
    version: int,
) -> DataFrame | None:
    """Return the values that are to be put: new ones of bars held, and all of bars not held."""
    end = F.unix_millis("bar_end")
    is_held = end <= F.col("held_until")
    parts = [
        part.where(~is_held & (end <= F.col("wanted_until")))
        for part in within_reach(context, everything, bounds)
    ]
    behind = [bound for bound in bounds if bound.held and bound.held.version < version]
    if behind:
        rows = everything if feed is None else feed
        again = rows.join(frame_of(context, behind), list(KEY), "inner").where(is_held)
        is_later = F.lit(True) if feed is None else F.expr("_commit_version > held_version")
        parts.append(again.where(is_later))
    columns = [*everything.columns, *(name for name in BOUNDS.fieldNames() if name not in KEY)]
    chosen = [part.select(*columns) for part in parts]
    return reduce(DataFrame.unionByName, chosen) if chosen else None


def within_reach(
    context: Context, everything: DataFrame, bounds: Sequence[Bound]
) -> Iterator[DataFrame]:
    """Yield the rows of pairs that are new, and the newest months of those that reach further.

    Each with the columns of `BOUNDS`; files that can't hold any are not read.
    """
    fresh = [bound for bound in bounds if bound.held is None]
    if fresh:
        rows = everything.where(named(fresh))
        yield rows.join(frame_of(context, fresh), list(KEY), "inner")
    reaches = {bound: bound.held.bars_until for bound in bounds if bound.held}
    further = [bound for bound, reach in reaches.items() if bound.until > reach]
    if further:
        rows = everything.where(since(min(reaches[bound] for bound in further)))
        yield rows.join(frame_of(context, further), list(KEY), "inner")


def named(bounds: Sequence[Bound]) -> Column:
    """Return what the rows of these listings meet, where few are named."""
    names = {bound.pair.name.instrument for bound in bounds}
    return F.lit(True) if len(names) > MOST_NAMED else F.col("instrument").isin(*sorted(names))


def since(lowest: int) -> Column:
    """Return what each bar that ends after `lowest` (ms) meets, and whole files do not."""
    if lowest <= 0:
        return F.lit(True)
    start = F.timestamp_millis(F.lit(lowest - MINUTES["1d"] * 60_000))
    month = F.year(start) * 100 + F.month(start)
    return (F.col("bar_start") >= start) & (F.col("year") * 100 + F.col("month") >= month)


def frame_of(context: Context, bounds: Sequence[Bound]) -> DataFrame:
    """Return what is held of pairs, and what shall be, small enough for every executor."""
    rows = []
    for bound in bounds:
        name, interval = bound.pair.name, bound.pair.interval
        held = bound.held or Position(NEVER, NEVER)
        key = (name.exchange, name.kind, name.instrument_uid, interval)
        number = (bound.series_id, MINUTES[interval], bound.held is None)
        rows.append((*key, *number, held.version, held.bars_until, bound.until))
    return F.broadcast(local_frame(context.spark, rows, BOUNDS))


async def _put(
    publisher: Publisher, rows: DataFrame, bounds: Sequence[Bound]
) -> Mapping[tuple[int, int], int]:
    """Put rows; return where those of each series_id and bar_minutes begin."""
    fresh = {bound.key for bound in bounds if bound.held is None}
    first = F.min(F.unix_millis("bar_start")).alias("first")
    size = F.count(F.lit(1)).alias("size")
    counted = rows.groupBy("is_fresh", *MONTH).agg(size, first).collect()
    if not counted:
        return {}
    for row in _units(rows).collect():
        contract = row["contract_size"]
        units = {name: row[name] for name in (*UNITS, "instrument")}
        text = None if contract is None else plain(contract)
        await tell_units(publisher, row["series_id"], {**units, "contract_size": text})
    await bars.put(publisher, _chunks(rows, _slices(counted)), fresh)
    newest_first = sorted(counted, key=lambda row: row["first"], reverse=True)
    return {(row["series_id"], row["bar_minutes"]): row["first"] for row in newest_first}


def _units(rows: DataFrame) -> DataFrame:
    newest = F.struct("bar_start", "revision")
    told = F.max_by(F.struct(*UNITS, "instrument"), newest).alias("told")
    return rows.groupBy("series_id").agg(told).select("series_id", "told.*")


class Slice(NamedTuple):
    """Months of series of which the rows are taken at once."""

    is_fresh: bool
    months: Sequence[tuple[int, int, int, int]]


def _slices(counted: Sequence[Row]) -> list[Slice]:
    """Part rows so that each part fits in memory: by freshness, series, interval and month."""
    slices: list[Slice] = []
    size = 0
    for row in sorted(counted, key=lambda one: tuple(one)[:5]):
        place = (row["series_id"], row["bar_minutes"], row["year"], row["month"])
        is_new = not slices or slices[-1].is_fresh != row["is_fresh"]
        if is_new or size + row["size"] > ROWS_AT_ONCE:
            slices.append(Slice(row["is_fresh"], []))
            size = 0
        slices[-1] = slices[-1]._replace(months=[*slices[-1].months, place])
        size += row["size"]
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
    context: Context,
    everything: DataFrame,
    bounds: Sequence[Bound],
    marks: Mapping[Listing, int],
) -> list[Waiting]:
    """Count the bars of one minute, or of the shortest interval, that wait for a mark."""
    shortest: dict[int, Bound] = {}
    for bound in sorted(bounds, key=lambda one: MINUTES[one.pair.interval]):
        shortest.setdefault(bound.series_id, bound)
    if not shortest:
        return []
    of_intervals = {bound.pair.interval for bound in shortest.values()}
    late = everything.where(since(min(bound.until for bound in shortest.values())))
    late = late.where(F.col("bar_interval").isin(*of_intervals))
    late = late.join(frame_of(context, list(shortest.values())), list(KEY), "inner")
    late = late.where(F.unix_millis("bar_end") > F.col("wanted_until"))
    counted = late.groupBy("series_id").agg(F.count_distinct("bar_start")).collect()
    counts: dict[int, int] = {row[0]: row[1] for row in counted}
    return [
        Waiting(listing, count, marks.get(listing))
        for listing, count in sorted(
            ((name.exchange, name.kind, name.instrument), counts[series_id])
            for series_id, bound in shortest.items()
            for name in [bound.pair.name]
            if series_id in counts
        )
    ]
