"""Which intervals of which series gold has: those that are held, and what was appended since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from jobs.context import Context
from lake.tables import GOLD_OHLCV_REVISIONS
from serve.database.intervals import MINUTES
from serve.publishing.publisher import Publisher
from serve.publishing.series import Name, series_held

#: Its version in `sources`: the last at which the database held every pair that gold had.
ALL_HELD = f"all of {GOLD_OHLCV_REVISIONS.name}"


class Pair(NamedTuple):
    """One interval of one listing, and the end of its newest bar in gold (ms), where it is told."""

    name: Name
    interval: str
    newest_end: int | None


async def pairs_of_gold(
    publisher: Publisher,
    context: Context,
    version: int,
    known: int | None,
    positions: Iterable[tuple[int, int]],
) -> list[Pair]:
    """Return all pairs of gold, without reading what is held: the ends of those are not told.

    Args:
        publisher: open.
        context: the run.
        version: of `gold.ohlcv_revisions`.
        known: the version up to which every pair is held; None where all must be read.
        positions: series_id and bar_minutes of the pairs held.
    """
    everything = context.tables.read_version(GOLD_OHLCV_REVISIONS, version)
    if known is None:
        return list(_among(everything))
    appended: Iterable[Pair] = ()
    if known < version:
        feed = context.tables.changed_between(GOLD_OHLCV_REVISIONS, known + 1, version)
        appended = _among(everything if feed is None else feed)
    names = {number: name for name, number in (await series_held(publisher)).items()}
    intervals = {minutes: interval for interval, minutes in MINUTES.items()}
    held = [Pair(names[series], intervals[minutes], None) for series, minutes in positions]
    # a listing that has another name since is in the database by its newest
    identities = {_identity(pair) for pair in held}
    return [*held, *(pair for pair in appended if _identity(pair) not in identities)]


def _identity(pair: Pair) -> tuple[str, ...]:
    name = pair.name
    return (name.exchange, name.kind, name.instrument_uid, pair.interval)


def _among(rows: DataFrame) -> Iterator[Pair]:
    identity = ("exchange", "kind", "instrument", "instrument_uid")
    newest = F.max(F.unix_millis("bar_end"))
    for row in rows.groupBy(*identity, "bar_interval").agg(newest).collect():
        yield Pair(Name("bars", *row[:4]), row[4], row[5])
