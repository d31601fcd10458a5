"""Silver to gold: touched minutes from the change feed, then every bar that they change."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from expectations import gate, ohlcv
from jobs import gates, ledger, open_minutes
from jobs.context import Context
from jobs.options import Selection
from jobs.silver import FACTS
from jobs.streams import KEPT, application, drain
from lake.clock import EPOCH, to_iso
from lake.frames import taken
from lake.storage import Slice, quoted
from lake.tables import (
    GOLD_OHLCV,
    GOLD_OHLCV_REVISIONS,
    GOLD_SOURCE_BARS,
    IDENTITY_KEY,
    OPS_CONFLICTS,
    OPS_CONTINUITY,
    OPS_WATERMARKS,
    Table,
)
from transform import assemble, bars, grid, revisions

log = logging.getLogger(__name__)

#: The silver tables that bars are built from.
SOURCES: tuple[bars.Source, ...] = ("trades", "agg_trades")
EPOCH_DAY = date(1970, 1, 1)
DAY_MICROS = 86_400_000_000
IDENTITY = ("exchange", "kind", "instrument", "instrument_uid")
#: Exchange, kind, instrument and UTC day.
InstrumentDay = tuple[str, str, str, date]
#: Changed silver files a batch: rows are aggregated at once, so memory does not grow with them.
FILES_PER_BATCH = 512
#: So many changed bars are taken to the driver; a live minute of thousands of instruments is less.
MOST_IN_HAND = 20_000


@dataclass(frozen=True, slots=True)
class Touched:
    """The instrument-days whose bars may have changed."""

    rows: tuple[InstrumentDay, ...]

    @property
    def days(self) -> tuple[date, ...]:
        """The days, sorted."""
        return tuple(sorted({day for *_, day in self.rows}))

    def silver(self) -> Slice:
        """Return the literal slice of a silver table."""
        return Slice(
            venues=tuple(sorted({(exchange, kind) for exchange, kind, _, _ in self.rows})),
            days=tuple(int(f"{day:%Y%m%d}") for day in self.days),
            instruments=tuple(sorted({instrument for _, _, instrument, _ in self.rows})),
        )

    def listings(self) -> Slice:
        """Return the literal slice of a table without days: venues and instruments."""
        return Slice(self.silver().venues, (), self.silver().instruments)

    def gold(self, alias: str = "") -> str:
        """Return the literal slice of a gold table: months, days by bar_start, instruments."""
        dot = f"{alias}." if alias else ""
        months = sorted({day.year * 100 + day.month for day in self.days})
        days = ", ".join(str((day - EPOCH_DAY).days) for day in self.days)
        after = self.days[-1] + timedelta(days=1)
        return " AND ".join(
            (
                self.listings().predicate(alias),
                f"{dot}year * 100 + {dot}month IN ({', '.join(map(str, months))})",
                f"{dot}bar_start >= TIMESTAMP'{self.days[0]}T00:00:00Z'",
                f"{dot}bar_start < TIMESTAMP'{after}T00:00:00Z'",
                f"unix_micros({dot}bar_start) div {DAY_MICROS} IN ({days})",
            )
        )


def consume(context: Context, source: bars.Source) -> set[InstrumentDay]:
    """Follow the change feed of a silver table and bring the bars that it changes up to date.

    Returns the instrument-days of which bars were looked at.
    """
    table = FACTS[source].table
    looked_at: set[InstrumentDay] = set()
    if not context.tables.exists(table):
        return looked_at
    feed = context.tables.changes(table, files_per_batch=FILES_PER_BATCH)
    minutes = feed.select(
        *IDENTITY, grid.bar_start(F.col("trade_timestamp"), "1m").alias("bar_start")
    )
    batches = 0

    def process(batch: DataFrame, batch_id: int) -> None:
        nonlocal batches
        batches += 1
        looked_at.update(_built(context, source, batch, batch_id))

    name = f"gold.{source}"
    application(context, name)
    drain(context, name, minutes, process)
    if not batches and open_minutes.are_waiting(context, source):
        looked_at.update(_built(context, source, open_minutes.waiting(context, source), -1))
    return looked_at


def follow(context: Context) -> None:
    """Bring gold up to date with all that silver has."""
    looked_at = set[InstrumentDay]().union(*(consume(context, it) for it in SOURCES))
    settle(context, looked_at)


def settle(context: Context, looked_at: set[InstrumentDay]) -> None:
    """Look again at days with bars that were not complete, or had not ended, when last seen.

    Those that this run has `looked_at` already are left alone.
    """
    bars_held = context.tables.read(GOLD_OHLCV)
    day = bar_day().alias("day")
    identity = ("exchange", "kind", "instrument")
    open_days = bars_held.where("NOT is_complete").select(*identity, day)
    marks = context.tables.read(OPS_WATERMARKS).where(F.col("table_name") == GOLD_OHLCV.name)
    recent = (
        context.tables.read(GOLD_SOURCE_BARS)
        .join(F.broadcast(marks.select(*identity, "complete_until")), [*identity], "left")
        .where("complete_until IS NULL OR bar_start >= complete_until")
        .select(*identity, day)
    )
    found = open_days.union(recent).distinct().collect()
    rows = tuple(sorted({(*row[:3], row["day"]) for row in found} - looked_at))
    if rows:
        refresh(context, Touched(rows), -1)


def refresh_source_bars(
    context: Context,
    source: bars.Source,
    minutes: DataFrame,
    touched: Touched,
    ended: open_minutes.Span,
) -> None:
    """Build the touched minutes of one source again from silver and keep what changed.

    A minute whose prints are all gone, as a rebuild can leave it, goes too. `ended` bounds the
    minutes: of a day that goes on only the files of its newest minutes are read.
    """
    prints = context.tables.read(FACTS[source].table).where(touched.silver().predicate())
    prints = prints.where(ended.predicate("trade_timestamp"))
    minute = grid.bar_start(F.col("trade_timestamp"), "1m")
    key = [*IDENTITY, "bar_start"]
    touched_prints = prints.withColumn("bar_start", minute).join(
        F.broadcast(minutes), key, "left_semi"
    )
    fresh = bars.minute_bars(touched_prints.drop("bar_start"), source)
    within = (
        f"t.built_from = '{source}' AND {ended.predicate('t.bar_start')} AND {touched.gold('t')}"
    )
    held = context.tables.read(GOLD_SOURCE_BARS).alias("t").where(within)
    held = held.join(F.broadcast(minutes), key, "left_semi")
    _write_changes(
        context, compared(fresh, held, GOLD_SOURCE_BARS, "full"), GOLD_SOURCE_BARS, within
    )


def compared(fresh: DataFrame, held: DataFrame, table: Table, how: str) -> DataFrame:
    """Return what differs of rows as they should be and as they are held.

    Args:
        fresh: rows of the table's schema.
        held: the same, as the table has them.
        table: which; its key says which rows belong together.
        how: the join: `full` tells of rows that should no longer be there, `left` does not.

    Returns:
        `now` and `was` STRUCT: a whole row each; null where there is none.
    """
    key = list(table.key)
    row = F.struct(*table.schema.names)
    pairs = fresh.select(*key, row.alias("now")).join(held.select(*key, row.alias("was")), key, how)
    return pairs.where("NOT now <=> was").select("now", "was")


def _write_changes(context: Context, changes: DataFrame, table: Table, within: str) -> None:
    """Bring a table to what `compared` has found.

    Most rows are new, and those need no MERGE, which costs more than all else of a small batch.
    """
    is_new, is_gone = F.col("was").isNull(), F.col("now").isNull()
    row = F.coalesce("now", "was").alias("row")
    changed = changes.select(is_new.alias("is_new"), is_gone.alias("is_gone"), row)
    with taken(changed.select("is_new", "is_gone", "row.*"), MOST_IN_HAND) as kept:
        new, other, gone = kept.agg(
            F.count_if("is_new"),
            F.count_if(~F.col("is_new") & ~F.col("is_gone")),
            F.count_if("is_gone"),
        ).collect()[0]
        rows = kept.where("NOT is_gone").drop("is_new", "is_gone")
        if other:
            context.tables.upsert(rows, table, within)
        elif new:
            context.tables.append(rows, table)
        if gone:
            context.tables.remove(kept.where("is_gone"), table, within)


def differing(fresh: DataFrame, held: DataFrame) -> DataFrame:
    """Return the fresh rows that are not held exactly so."""
    same = [F.col(f"f.{name}").eqNullSafe(F.col(f"h.{name}")) for name in fresh.columns]
    condition = same[0]
    for term in same[1:]:
        condition &= term
    return fresh.alias("f").join(held.alias("h"), condition, "left_anti")


def refresh(context: Context, touched: Touched, batch_id: int, stream: str = "") -> None:
    """Bring `gold.ohlcv` of the touched days up to date: revisions first, then current rows.

    The revisions are the truth and the current rows their newest: a run killed between the two is
    mended by the next one, which compares each day once as a whole. From then on what is written to
    the one is written to the other.
    """
    within, listings = touched.gold(), touched.listings().predicate()
    candidates = assemble.candidates(
        context.tables.read(GOLD_SOURCE_BARS).where(within),
        context.tables.read(OPS_CONTINUITY).where(listings),
        context.tables.read(OPS_CONFLICTS).where(f"{listings} AND state = 'open'"),
        until(context),
    )
    known = context.tables.read(GOLD_OHLCV_REVISIONS).where(within)
    changed = revisions.changed(candidates, newest(known), context.clock.now())
    is_projected = context.projected.issuperset(touched.rows)
    context.projected.difference_update(touched.rows)
    with taken(changed, MOST_IN_HAND) as told:
        is_first = F.col("revision") == 0
        rows, first = told.agg(F.count(F.lit(1)), F.count_if(is_first)).collect()[0]
        # kept by Spark they are read again once the table that they were compared with is written
        is_projected &= rows <= MOST_IN_HAND
        if rows:
            with gates.kept_beside(context, _judged(context, told, rows, batch_id, stream)):
                context.tables.append(told, GOLD_OHLCV_REVISIONS)
                if is_projected:
                    _write_current(context, told, touched, all_new=rows == first)
    if not is_projected:
        _project(context, touched)
    context.projected.update(touched.rows)
    mark(context, touched)
    log.info("gold.ohlcv days=%d changed=%d", len(touched.days), rows)


def _write_current(
    context: Context, changed: DataFrame, touched: Touched, *, all_new: bool
) -> None:
    """Write revisions as current rows too; the others of these days are their newest already."""
    rows = changed.select(*GOLD_OHLCV.schema.names)
    if all_new:
        context.tables.append(rows, GOLD_OHLCV)
    else:
        context.tables.upsert(rows, GOLD_OHLCV, touched.gold("t"))


def newest(known: DataFrame) -> DataFrame:
    """Return each bar's newest revision."""
    names = [name for name in known.columns if name != "reason"]
    key = (*IDENTITY_KEY, "bar_interval", "bar_start")
    return (
        known.groupBy(*key)
        .agg(F.max_by(F.struct(*names), F.col("revision")).alias("bar"))
        .select("bar.*")
    )


def until(context: Context) -> datetime:
    """Return the moment before which bars are over: now, less the grace time."""
    return context.clock.now() - timedelta(seconds=context.settings.gold.grace_seconds)


def _project(context: Context, touched: Touched) -> None:
    current = context.tables.read(GOLD_OHLCV).where(touched.gold())
    latest = newest(context.tables.read(GOLD_OHLCV_REVISIONS).where(touched.gold()))
    stale = compared(latest, current, GOLD_OHLCV, "left")
    _write_changes(context, stale, GOLD_OHLCV, touched.gold("t"))


def _judged(
    context: Context, changed: DataFrame, rows: int, batch_id: int, stream: str
) -> Sequence[gate.Outcome]:
    checks = [gates.Check(GOLD_OHLCV.name, changed, ohlcv.suite())]
    return gates.judged(context, checks, batch_id=batch_id, rows=rows, stream=stream)


def mark(context: Context, touched: Touched) -> None:
    """Move the complete-until marks of the touched instruments; one that stands is not written."""
    within = touched.listings().predicate()
    scope = f"table_name = {quoted(GOLD_OHLCV.name)} AND {within}"
    marks = ledger.marks(context, GOLD_OHLCV.name, touched.listings(), until(context))
    key = list(OPS_WATERMARKS.key)
    held = context.tables.read(OPS_WATERMARKS).where(scope)
    before = held.select(
        *key, F.col("complete_until").alias("was"), F.col("updated_at").alias("moved_at")
    )
    stands = F.col("was").eqNullSafe(F.col("complete_until"))
    told = marks.join(F.broadcast(before), key, "left").withColumn("moves", ~stands)
    with taken(told, MOST_IN_HAND) as kept:
        if kept.where("moves").isEmpty():
            return
        known = F.when(F.col("moves"), F.col("updated_at")).otherwise(F.col("moved_at"))
        rows = kept.withColumn("updated_at", known).select(*OPS_WATERMARKS.schema.names)
        context.tables.replace(rows, OPS_WATERMARKS, scope)


def bar_day() -> Column:
    """Return the UTC day of bar_start, whatever the session's zone is."""
    return F.expr(f"date_from_unix_date(cast(unix_micros(bar_start) div {DAY_MICROS} AS INT))")


def rebuild(context: Context, selection: Selection) -> None:
    """Build all minutes of the selection again from silver, and every bar that they change.

    Args:
        context: the run.
        selection: with the venue's own names of instruments.
    """
    window = f"trade_timestamp >= TIMESTAMP'{to_iso(selection.start or EPOCH)}'"
    window += f" AND trade_timestamp < TIMESTAMP'{to_iso(selection.end or context.clock.now())}'"
    listed = [
        Slice(((segment.exchange, segment.kind),), (), segment.instruments).predicate()
        for segment in selection.segments
    ]
    wanted = " OR ".join(f"({one})" for one in listed)
    minute = grid.bar_start(F.col("trade_timestamp"), "1m").alias("bar_start")
    for source in SOURCES:
        prints = context.tables.read(FACTS[source].table).where(window).where(wanted)
        _built(context, source, prints.select(*IDENTITY, minute), -1)


def _built(
    context: Context, source: bars.Source, minutes: DataFrame, batch_id: int
) -> Sequence[InstrumentDay]:
    """Build these minutes and those that waited, and every bar that they change; return their days.

    A minute that goes on waits until it has ended: no bar needs it before, and what is built once
    is appended, while what is built again has to be merged.
    """
    now = until(context)
    waited = open_minutes.waiting(context, source)
    minutes = minutes.unionByName(waited).distinct().persist(KEPT)
    try:
        found = open_minutes.part(minutes, now)
        if found.span is not None:
            touched = Touched(found.ended)
            ended = minutes.where(open_minutes.has_ended(now))
            refresh_source_bars(context, source, ended, touched, found.span)
            refresh(context, touched, batch_id, source)
        open_minutes.keep(context, source, found.open)
        return found.ended
    finally:
        minutes.unpersist()
