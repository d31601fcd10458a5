"""Build a window of a table again from the layer below: silver from bronze, gold from silver.

Run by `./spark-submit.sh rebuild --table silver.agg_trades --start ... --end ...`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated

import typer

from extract.discovery import discovered
from extract.listing import Listing, matching
from jobs import batches, conflicts, gold, gold_of_perpetuals, ledger, silver
from jobs.application import run_job
from jobs.context import Context, open_context, open_lake
from jobs.options import (
    End,
    Env,
    Exchange,
    Instruments,
    Kind,
    Segment,
    Selection,
    Sets,
    Start,
    segments_of,
    select,
)
from jobs.runs import recorded
from jobs.streams import lines_of
from lake.bronze import ALL_INSTRUMENTS, BronzeName, Dataset, folder
from lake.clock import to_iso, to_millis
from lake.errors import ExtractError, UsageError
from lake.packs import names_below
from lake.storage import Slice
from lake.tables import GOLD_OHLCV, SILVER_INDEX_PRICES, STANDING, TABLES
from transform import index_minutes

log = logging.getLogger(__name__)

#: A rebuilt row is the same row even where it was downloaded or noticed at another moment.
OUTSIDE_A_STREAM = -1
LINEAGE = frozenset({"end_download_timestamp", "knowledge_timestamp", "run_id"})


def rebuild(
    *,
    table: Annotated[
        str,
        typer.Option(
            help="silver.trades, silver.agg_trades, silver.index_prices, gold.ohlcv,"
            " gold.funding_rates or gold.mark_ohlcv."
        ),
    ],
    env: Env = "replay",
    exchange: Exchange = None,
    kind: Kind = None,
    instruments: Instruments = None,
    start: Start = None,
    end: End = None,
    sets: Sets = None,
) -> None:
    """Build a window of a table again; what comes out as before is not written.

    Example: ./spark-submit.sh rebuild --table silver.agg_trades --start 2024-01-01 --end 2024-01-02
    """
    lake = open_lake(env, sets or ())
    selection = select(
        lake.settings, exchange=exchange, kind=kind, instruments=instruments, start=start, end=end
    )
    with open_context("rebuild", lake, writes=tuple(TABLES.values())) as context:
        context.tables.ensure(*STANDING)
        with recorded(context, "rebuild"):
            run(context, table, selection)


def run(context: Context, table: str, selection: Selection) -> None:
    """Build the window again; gold follows a change of silver.

    Raises:
        UsageError: the table has no layer below, or the window is open.
    """
    if selection.start is None or selection.end is None:
        raise UsageError("a rebuild needs --start and --end")
    facts = {fact.table.name: fact for fact in silver.FACTS.values() if fact.in_ledger}
    derived = gold_of_perpetuals.DATASETS
    if table == SILVER_INDEX_PRICES.name:
        _rebuild_indexes(context, selection)
        return
    if table not in (*facts, GOLD_OHLCV.name, *derived):
        known = ", ".join([*facts, SILVER_INDEX_PRICES.name, GOLD_OHLCV.name, *derived])
        raise UsageError(f"'{table}' can't be rebuilt", hint=f"Tables that can: {known}.")
    if table in derived:
        held = held_of(context, selection, (derived[table],))
        gold_of_perpetuals.rebuild(context, table, held)
        return
    held = held_of(context, selection)
    if table in facts:
        _rebuild_prints(context, facts[table], held)
    else:
        gold.rebuild(context, held)
    gold.follow(context)


def held_of(
    context: Context, selection: Selection, datasets: Sequence[Dataset] | None = None
) -> Selection:
    """Return the selection with the venue's names that bronze holds, for names of any form.

    Held is what any of the datasets has a file of, of trades where none is named.

    Raises:
        UsageError: an instrument is neither held nor known, or nothing of the selection is held.
    """
    prints = [fact.dataset for fact in silver.FACTS.values() if fact.in_ledger]
    segments = []
    for segment in selection.segments:
        held = _held_names(context, segment.exchange, segment.kind, datasets or prints)
        if held:
            known = [*_discovered(context, segment), *map(Listing, held)]
            names = held & set(matching(segment.instruments, known))
            if names:
                segments.append(replace(segment, instruments=tuple(sorted(names))))
    if not segments:
        raise UsageError(
            f"bronze holds no {' or '.join(datasets or ('trades',))} of this selection",
            hint="Run the pipeline for it first.",
        )
    return replace(selection, segments=tuple(segments))


def _held_names(
    context: Context, exchange: str, kind: str, datasets: Sequence[Dataset]
) -> set[str]:
    """Return the instruments of which a file of a dataset has landed."""
    folders = [folder(dataset, exchange, kind) for dataset in datasets]
    names = {name.instrument for one in folders for name in names_below(context.store, one)}
    return names - {ALL_INSTRUMENTS}


def _discovered(context: Context, segment: Segment) -> Sequence[Listing]:
    try:
        return discovered(context.store, segment.exchange, segment.kind)
    except ExtractError:
        return []


def _rebuild_prints(context: Context, fact: batches.Fact, selection: Selection) -> None:
    """Parse the bronze of the window with the present parser, gate it, and correct silver."""
    names = bronze_of(context, fact.dataset, selection)
    listings = sorted({(name.exchange, name.kind, name.instrument) for name in names})
    files = list(dict.fromkeys(name.file for name in names))
    if not files:
        raise UsageError("bronze holds nothing of this window", hint="Run the pipeline for it.")
    wanted = sorted({name.instrument for name in names})
    with batches.parsed(context, fact, lines_of(context, files), of=wanted) as batch:
        batch.keep()
        silver.gate_batch(context, fact, batch, OUTSIDE_A_STREAM)
        first = conflicts.decided(context, fact, batch.valid)
        compared = [name for name in fact.table.schema.names if name not in LINEAGE]
        context.tables.correct(
            first.where(_window(selection, listings)),
            fact.table,
            _window(selection, listings, alias="t"),
            compared,
        )
        ledger.update(context, fact, batch, ledger.look(context, fact, batch))
    log.info("rebuilt %s from %d bronze files", fact.table.name, len(files))


def _rebuild_indexes(context: Context, selection: Selection) -> None:
    """Parse what bronze holds around the window, gate it, and correct the minutes in the window.

    Raises:
        UsageError: bronze holds no index prices of the window.
    """
    fact = silver.FACTS["index_prices"]
    of_indexes = [one for one in selection.segments if one.kind == "index"]
    segments = of_indexes or segments_of("deribit", "index", None)
    # a file is of many indexes, and a frame may lie in one that was opened before its minute
    everything = replace(selection, segments=segments_of("deribit", "index", None))
    files = sorted({name.file for name in bronze_of(context, fact.dataset, everything)})
    if not files:
        raise UsageError(
            "bronze holds no index prices of this window",
            hint="Land some with candlelake extract minute.",
        )
    with batches.parsed(context, fact, lines_of(context, files)) as batch:
        batch.keep()
        silver.gate_batch(context, fact, batch, OUTSIDE_A_STREAM)
        found = batch.valid.select("exchange", "kind", "instrument").distinct().collect()
        listings = sorted(
            (row["exchange"], row["kind"], row["instrument"])
            for row in found
            if any(one.admits(row["instrument"]) for one in segments)
        )
        if listings:
            rows = batch.valid.where(_window(selection, listings, of="minute"))
            context.tables.ensure(fact.table)
            context.tables.correct(
                index_minutes.nearest(rows),
                fact.table,
                _window(selection, listings, of="minute", alias="t"),
                [name for name in fact.table.schema.names if name not in LINEAGE],
            )
    log.info("rebuilt %s from %d bronze files", fact.table.name, len(files))


def bronze_of(context: Context, dataset: str, selection: Selection) -> list[BronzeName]:
    """Return what bronze holds of a dataset that may have a row of the selection, by names."""
    start = to_millis(selection.start) if selection.start else 0
    end = to_millis(selection.end or context.clock.now())
    wanted = {(segment.exchange, segment.kind): segment for segment in selection.segments}
    found = []
    for name in names_below(context.store, f"bronze/{dataset}/"):
        segment = wanted.get((name.exchange, name.kind))
        overlaps = name.coverage.from_ms <= end and name.coverage.until_ms >= start
        if segment and overlaps and segment.admits(name.instrument):
            found.append(name)
    return found


def _window(
    selection: Selection,
    listings: Sequence[tuple[str, str, str]],
    *,
    of: str = "trade_timestamp",
    alias: str = "",
) -> str:
    """Return the window of these listings as a predicate over the columns of `alias`.

    `of` is the column of the rows' time.
    """
    dot = f"{alias}." if alias else ""
    start, end = selection.start, selection.end
    assert start is not None and end is not None  # noqa: S101, PT018 - `run` has refused it
    within = Slice(
        venues=tuple(sorted({(exchange, kind) for exchange, kind, _ in listings})),
        days=days_between(start, end),
        instruments=tuple(sorted({instrument for *_, instrument in listings})),
    )
    return (
        f"{within.predicate(alias)} AND {dot}{of} >= TIMESTAMP'{to_iso(start)}'"
        f" AND {dot}{of} < TIMESTAMP'{to_iso(end)}'"
    )


def days_between(start: datetime, end: datetime) -> tuple[int, ...]:
    """Return the UTC days, as yyyymmdd, that [start, end) touches."""
    last = (end - timedelta(microseconds=1)).date()
    count = (last - start.date()).days + 1
    return tuple(int(f"{start + timedelta(days=step):%Y%m%d}") for step in range(count))


if __name__ == "__main__":
    run_job(rebuild)
