"""Minutes of which silver has prints and that go on: gold looks at them once they have ended.

They lie in a small object beside the stream's checkpoint. It is written before the stream commits
a batch, so a run that is killed between the two sees the batch, and what waited before it, again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from jobs.context import Context
from lake import status
from lake.errors import StorageError
from lake.frames import local_frame
from lake.schemas import IDENTITY
from transform import bars, grid

NAMES = [field.name for field in IDENTITY]
STORED = T.StructType([*IDENTITY, T.StructField("minute_micros", T.LongType())])
#: Exchange, kind, instrument, its uid, and the minute's start (UNIX µs).
Minute = tuple[str, str, str, str, int]


@dataclass(frozen=True, slots=True)
class Span:
    """The time from the start of one minute to the end of another (UNIX µs)."""

    start: int
    end: int

    def predicate(self, column: str) -> str:
        """Return as SQL that a column's moment lies within: literal, so that files are skipped."""
        start, end = f"timestamp_micros({self.start})", f"timestamp_micros({self.end})"
        return f"{column} >= {start} AND {column} < {end}"


@dataclass(frozen=True, slots=True)
class Parted:
    """The instrument-days with minutes that have ended, and the minutes that have not.

    Attributes:
        span: from the first minute that has ended to the last; None where none has.
    """

    ended: tuple[tuple[str, str, str, date], ...]
    open: tuple[Minute, ...]
    span: Span | None


def has_ended(now: datetime) -> Column:
    """Return whether the minute of a row with `bar_start` is over."""
    return grid.bar_end(F.col("bar_start"), "1m") <= F.lit(now)


def part(minutes: DataFrame, now: datetime) -> Parted:
    """Part minutes (identity, `bar_start`) by whether they have ended; open ones are few."""
    ended = has_ended(now)
    day = F.expr(f"date_from_unix_date(CAST(unix_micros(bar_start) DIV {grid.DAY} AS INT))")
    rows = (
        minutes.groupBy(*NAMES, day.alias("day"))
        .agg(
            F.count_if(ended).alias("ended"),
            F.collect_set(F.when(~ended, F.unix_micros("bar_start"))).alias("open"),
            F.min(F.when(ended, F.unix_micros("bar_start"))).alias("first"),
            F.max(F.when(ended, F.unix_micros("bar_start"))).alias("last"),
        )
        .collect()
    )
    days = {(*row[:3], row["day"]) for row in rows if row["ended"]}
    still_open = {(*row[:4], micros) for row in rows for micros in row["open"]}
    ends = [row for row in rows if row["ended"]]
    span = None
    if ends:
        last = max(row["last"] for row in ends)
        span = Span(min(row["first"] for row in ends), last + grid.MINUTE)
    return Parted(tuple(sorted(days)), tuple(sorted(still_open)), span)


def keep(context: Context, source: bars.Source, minutes: Sequence[Minute]) -> None:
    """Let these minutes wait, and no others.

    Raises:
        StorageError: the store refuses.
    """
    if tuple(minutes) != _stored(context, source):
        status.publish(context.store, _key(source), {"minutes": minutes})


def are_waiting(context: Context, source: bars.Source) -> bool:
    """Tell whether any minute waits."""
    return bool(_stored(context, source))


def waiting(context: Context, source: bars.Source) -> DataFrame:
    """Return the minutes that wait: identity and `bar_start`.

    Raises:
        StorageError: what was kept can't be read.
    """
    stored = local_frame(context.spark, _stored(context, source), STORED)
    return stored.select(*NAMES, F.timestamp_micros("minute_micros").alias("bar_start"))


def _stored(context: Context, source: bars.Source) -> tuple[Minute, ...]:
    content = context.store.read(_key(source))
    if content is None:
        return ()
    try:
        return tuple(tuple(one) for one in json.loads(content)["minutes"])
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(
            "the list of minutes that gold has still to look at can't be read",
            where=context.store.location(_key(source)),
            hint="Delete it, then run ./spark-submit.sh rebuild --table gold.ohlcv for the day.",
        ) from error


def _key(source: bars.Source) -> str:
    return f"checkpoints/gold.{source}/open_minutes.json"
