"""Silver to gold for perpetuals: settlements of funding, and candles of the mark price.

Both are a projection of silver and nothing else: silver keeps every value that a source ever
published, with the moment at which it was known, so no revisions are kept a second time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from expectations import funding_rates, mark_bars
from expectations.rules import Suite
from jobs import gates, gold
from jobs.context import Context
from jobs.gold import IDENTITY, InstrumentDay, Touched
from jobs.options import Selection
from jobs.streams import KEPT, application, drain
from lake.bronze import Dataset
from lake.clock import EPOCH, to_iso
from lake.storage import Slice
from lake.tables import (
    GOLD_FUNDING_RATES,
    GOLD_MARK_OHLCV,
    SILVER_FUNDING_RATES,
    SILVER_MARK_KLINES,
    Table,
)
from transform import mark_bars as candles
from transform import settlements

log = logging.getLogger(__name__)

#: Exchange, kind and instrument.
LISTING = IDENTITY[:3]
#: A run a month, or more often, sees each day once more after its end.
LOOKED_BACK = timedelta(days=31)
Listing = tuple[str, str, str]
#: The dataset that each table comes from.
DATASETS: Mapping[str, Dataset] = {
    GOLD_FUNDING_RATES.name: "funding_rates",
    GOLD_MARK_OHLCV.name: "mark_klines",
}


class _Gated(NamedTuple):
    """A table and what its rows are held against."""

    table: Table
    suite: Callable[[], Suite]


_RATES = _Gated(GOLD_FUNDING_RATES, funding_rates.settlements)
_MARKS = _Gated(GOLD_MARK_OHLCV, mark_bars.candles)


def follow(context: Context) -> None:
    """Bring both tables up to date with all that silver has; of what it has not, none is made."""
    if context.tables.exists(SILVER_FUNDING_RATES):
        _drain(context, SILVER_FUNDING_RATES, GOLD_FUNDING_RATES, _settled)
    if context.tables.exists(SILVER_MARK_KLINES):
        _drain(context, SILVER_MARK_KLINES, GOLD_MARK_OHLCV, _marked)
        refresh_marks(context, _ended_days(context), -1)


def rebuild(context: Context, table: str, selection: Selection) -> None:
    """Build a table's part of the selection again from silver.

    Args:
        context: the run.
        table: one of `DATASETS`.
        selection: with the venue's own names. Funding rates are built whole: the hours of one
            may come from the one before.
    """
    of_rates = table == GOLD_FUNDING_RATES.name
    context.tables.ensure(GOLD_FUNDING_RATES if of_rates else GOLD_MARK_OHLCV)
    listings = [
        (segment.exchange, segment.kind, name)
        for segment in selection.segments
        for name in segment.instruments
    ]
    if of_rates:
        refresh_rates(context, listings, -1)
        return
    start, end = selection.start or EPOCH, selection.end or context.clock.now()
    bars = context.tables.read(SILVER_MARK_KLINES).where(_of(listings).predicate())
    inside = f"open_time >= TIMESTAMP'{to_iso(start)}' AND open_time < TIMESTAMP'{to_iso(end)}'"
    refresh_marks(context, _days(bars.where(inside)), -1)


def refresh_rates(context: Context, listings: Sequence[Listing], batch_id: int) -> None:
    """Bring the settlements of these listings up to date."""
    if not listings:
        return
    within = _of(listings)
    rates = context.tables.read(SILVER_FUNDING_RATES).where(within.predicate())
    fresh = settlements.current(rates)
    _bring(context, _RATES, fresh, within.predicate("t"), batch_id)


def refresh_marks(context: Context, days: Sequence[InstrumentDay], batch_id: int) -> None:
    """Bring the candles of these days up to date; each lies within one UTC day."""
    if not days:
        return
    touched = Touched(tuple(days))
    bars = context.tables.read(SILVER_MARK_KLINES).where(touched.silver().predicate())
    fresh = candles.candles(bars, gold.until(context))
    _bring(context, _MARKS, fresh, touched.gold("t"), batch_id)


def _drain(
    context: Context,
    silver: Table,
    table: Table,
    process: Callable[[Context, DataFrame, int], None],
) -> None:
    context.tables.ensure(table)
    feed = context.tables.changes(silver, files_per_batch=gold.FILES_PER_BATCH)
    application(context, table.name)
    drain(context, table.name, feed, lambda batch, batch_id: process(context, batch, batch_id))


def _settled(context: Context, batch: DataFrame, batch_id: int) -> None:
    refresh_rates(context, _listings(batch), batch_id)


def _marked(context: Context, batch: DataFrame, batch_id: int) -> None:
    refresh_marks(context, _days(batch), batch_id)


def _bring(context: Context, check: _Gated, fresh: DataFrame, within: str, batch_id: int) -> None:
    """Make the rows for which `within` holds the fresh ones; where none differs, nothing."""
    table = check.table
    held = context.tables.read(table).alias("t").where(within)
    kept = fresh.persist(KEPT)
    changed = gold.differing(kept, held).persist(KEPT)
    try:
        rows = changed.count()
        gone = held.join(kept, list(table.key), "left_anti")
        if rows:
            checks = [gates.Check(table.name, changed, check.suite())]
            outcomes = gates.judged(context, checks, batch_id=batch_id, rows=rows)
            gates.keep(context, outcomes)
        if rows or not gone.isEmpty():
            compared = [name for name in table.schema.names if name not in table.key]
            context.tables.correct(kept, table, within, compared)
        log.info("%s changed=%d", table.name, rows)
    finally:
        changed.unpersist()
        kept.unpersist()


def _of(listings: Sequence[Listing]) -> Slice:
    venues = {(exchange, kind) for exchange, kind, _ in listings}
    return Slice(tuple(sorted(venues)), (), tuple(sorted({name for *_, name in listings})))


def _listings(rows: DataFrame) -> list[Listing]:
    return [(row[0], row[1], row[2]) for row in rows.select(*LISTING).distinct().collect()]


def _days(bars: DataFrame) -> list[InstrumentDay]:
    """Return the instrument-days of minutes."""
    day = F.make_date("year", "month", "day").alias("day")
    found = bars.where("bar_interval = '1m'").select(*LISTING, day).distinct().collect()
    return [(row[0], row[1], row[2], row["day"]) for row in found]


def _ended_days(context: Context) -> list[InstrumentDay]:
    """Return the days of the last month that have ended, but had not when last looked at.

    An older one whose rest never landed is left to `rebuild`: all of silver would be read for it.
    """
    last = gold.until(context).date()
    first = last - LOOKED_BACK
    since = f"year >= {first.year} AND year * 10000 + month * 100 + day >= {first:%Y%m%d}"
    held = context.tables.read(GOLD_MARK_OHLCV).where(
        f"bar_interval = '1d' AND bar_start >= TIMESTAMP'{first}T00:00:00Z'"
    )
    rows = held.select(*LISTING, gold.bar_day().alias("day")).collect()
    seen = {(row[0], row[1], row[2], row["day"]) for row in rows}
    days = _days(context.tables.read(SILVER_MARK_KLINES).where(since))
    return sorted(day for day in days if day not in seen and day[3] < last)
