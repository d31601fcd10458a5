"""Which trade numbers of futures are off the book: silver's aggregates tell it of single trades."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F  # noqa: N812

from jobs.context import Context
from lake.clock import from_millis, to_iso
from lake.frames import in_hand
from lake.schemas import CONTINUITY
from lake.storage import Slice
from lake.tables import OPS_CONTINUITY, SILVER_AGG_TRADES
from transform import continuity, off_book

#: An aggregate has the time of its first trade, and gathers those of 100 ms.
AROUND = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Judged:
    """The ledger of some instruments' trades: as it should be, as it is, and where it stands."""

    merged: DataFrame
    before: Sequence[Row]
    scope: str


def weighed(context: Context, holes: DataFrame, of: Slice, times: tuple[int, int]) -> DataFrame:
    """Return holes of single trades, with those assumed off the book judged where silver can.

    Args:
        context: the run.
        holes: as `missing.missing` tells.
        of: venues and instruments; its days and ids do not matter.
        times: from when until when, in ms, aggregates may speak of the holes.
    """
    since, until = from_millis(times[0]) - AROUND, from_millis(times[1]) + AROUND
    within = (
        f"{Slice(of.venues, (), of.instruments).predicate()}"
        f" AND trade_timestamp >= TIMESTAMP'{to_iso(since)}'"
        f" AND trade_timestamp <= TIMESTAMP'{to_iso(until)}'"
    )
    aggregates = context.tables.read(SILVER_AGG_TRADES).where(within)
    # few rows with long plans: Spark would plan them anew in each step that follows
    return in_hand(off_book.weighed(in_hand(holes), aggregates))


def judged_again(context: Context, of: Slice, numbers: tuple[int, int]) -> Judged | None:
    """Judge what was assumed before aggregates of these trade numbers came; None if nothing was.

    Args:
        context: the run.
        of: venues and instruments.
        numbers: the lowest and the highest trade number of the new aggregates.
    """
    scope = f"dataset = 'trades' AND {of.predicate()}"
    names = CONTINUITY.fieldNames()
    current = context.tables.read(OPS_CONTINUITY).where(scope).select(*names)
    near = f"last_id >= {numbers[0] - 1} AND first_id <= {numbers[1] + 1}"
    assumed = current.where(f"state = '{off_book.ASSUMED}' AND {near}")
    reach = assumed.agg(
        F.unix_millis(F.min("proved_from")), F.unix_millis(F.max("proved_until"))
    ).collect()[0]
    if reach[0] is None:
        return None
    told = weighed(context, assumed, of, (reach[0], reach[1]))
    # as if just these ids had been answered anew
    claims = assumed.select(*continuity.CLAIMS.fieldNames())
    merged = continuity.merge(current, claims, told).select(*names)
    return Judged(merged, current.collect(), scope)
