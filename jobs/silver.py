"""Bronze to silver: parse, split, gate, then quarantine, sightings, silver and the ledger."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from expectations import (
    agg_trades,
    bronze,
    funding_rates,
    gate,
    index_prices,
    klines,
    mark_bars,
    trades,
)
from expectations.facts import faultless
from jobs import gates, ledger
from jobs.batches import Fact, Parsed, Store, admitted, parsed, slice_of
from jobs.beside import ahead
from jobs.context import Context
from jobs.streams import application, bronze_lines, drain, has_bronze
from lake.schemas import QUARANTINE
from lake.storage import Slice, Transaction
from lake.tables import (
    OPS_CONFLICTS,
    OPS_QUARANTINE,
    OPS_SIGHTINGS,
    SILVER_AGG_TRADES,
    SILVER_FUNDING_RATES,
    SILVER_INDEX_PRICES,
    SILVER_KLINES,
    SILVER_MARK_KLINES,
    SILVER_TRADES,
)
from transform import index_minutes, publications, sightings
from transform.publications import Published, new_revisions

log = logging.getLogger(__name__)


def consume(context: Context, dataset: str) -> None:
    """Bring all that has landed of a dataset into its silver table, exactly once."""
    if not has_bronze(context, dataset):
        return
    fact = FACTS[dataset]
    if fact.table.on_demand:
        context.tables.ensure(fact.table)
    app = application(context, fact.table.name)

    def process(batch: DataFrame, batch_id: int) -> None:
        write_batch(context, fact, batch, Transaction(app, batch_id))

    drain(context, fact.table.name, bronze_lines(context, dataset), process)


def write_batch(context: Context, fact: Fact, lines: DataFrame, transaction: Transaction) -> None:
    """Parse, gate and write one batch; a second run of the same batch changes nothing."""
    with parsed(context, fact, lines) as batch:
        with gates.kept_beside(context, _judged(context, fact, batch, transaction.version)):
            if batch.rejected:
                _quarantine(context, batch, transaction)
            publish(context, fact, batch, transaction)
        log.info(
            "%s batch=%d rows=%d rejected=%d",
            fact.table.name,
            transaction.version,
            batch.rows,
            batch.rejected,
        )


def publish(context: Context, fact: Fact, batch: Parsed, transaction: Transaction) -> None:
    """Write the valid rows of a gated batch, and what its files claim to the ledger."""
    looking = ahead(partial(ledger.look, context, fact, batch)) if fact.in_ledger else None
    within = slice_of(batch, fact)
    if within is not None:
        fact.store(context, fact, batch, within, transaction)
    if looking is not None:
        ledger.update(context, fact, batch, looking.result())


def gate_batch(context: Context, fact: Fact, batch: Parsed, batch_id: int) -> None:
    """Hold the answers and the valid rows against their suites; GateError where one fails."""
    gates.keep(context, _judged(context, fact, batch, batch_id))


def _judged(context: Context, fact: Fact, batch: Parsed, batch_id: int) -> Sequence[gate.Outcome]:
    reasons = _reasons(batch) if batch.rejected else {}
    of_answers = admitted(context, fact, bronze.suite())
    of_rows = admitted(context, fact, fact.suite(reduced=batch.is_unbroken))
    answers = rows = None
    if batch.sound_answers is not None:
        answers = faultless(batch.sound_answers, of_answers, repeats=None)
    if not any(group["broken"] for group in batch.facts):
        # an unbroken chain has each key once: no other pass is needed to tell
        repeats = 0 if batch.is_unbroken else None
        rows = faultless(batch.rows - batch.rejected, of_rows, repeats=repeats)
    checks = (
        gates.Check(f"bronze.{fact.dataset}", batch.answers, of_answers, answers, reasons),
        gates.Check(fact.table.name, batch.valid, of_rows, rows, reasons),
    )
    return gates.judged(
        context, checks, batch_id=batch_id, rows=batch.rows, rejected_rows=batch.rejected
    )


def _reasons(batch: Parsed) -> Mapping[str, int]:
    """Count why rows were rejected."""
    counted = batch.refused.select(F.explode("reasons").alias("reason")).groupBy("reason").count()
    return {row["reason"]: row["count"] for row in counted.collect()}


def _quarantine(context: Context, batch: Parsed, transaction: Transaction) -> None:
    stamped = batch.refused.withColumns(
        {
            "run_id": F.lit(context.run_id),
            "quarantined_at": F.lit(context.clock.now()),
            "state": F.lit("open"),
        }
    ).select(*QUARANTINE.fieldNames())
    context.tables.append(stamped, OPS_QUARANTINE, transaction)


def _store_prints(
    context: Context, fact: Fact, batch: Parsed, within: Slice, transaction: Transaction
) -> None:
    """Insert the first sighting of each print; later ones become sightings or conflicts."""
    held = context.tables.read(fact.table).where(within.predicate())
    if batch.is_unbroken and held.isEmpty():
        # each key once, and none is held: nothing is left for a MERGE to compare
        context.tables.append(batch.valid, fact.table, transaction)
    else:
        _store_seen_before(context, fact, batch, within, transaction, held=held)


def _store_seen_before(
    context: Context,
    fact: Fact,
    batch: Parsed,
    within: Slice,
    transaction: Transaction,
    *,
    held: DataFrame,
) -> None:
    batch.keep()
    first = sightings.first_by_key(batch.valid, fact.table.key).first
    key = list(fact.table.key)
    known = held.unionByName(first.join(held.select(*key), key, "left_anti").select(held.columns))
    found = sightings.compare(batch.valid, known, fact.id_column, fact.dataset)
    context.tables.append(found.sightings, OPS_SIGHTINGS, transaction)
    context.tables.append(found.conflicts, OPS_CONFLICTS, transaction)
    context.tables.merge_new(first, fact.table, within, transaction)


def _storing(published: Published) -> Store:
    """Return what inserts publications whose content is new, as revisions."""

    def store(
        context: Context, fact: Fact, batch: Parsed, within: Slice, transaction: Transaction
    ) -> None:
        held = context.tables.read(fact.table).where(within.predicate())
        fresh = new_revisions(batch.valid, held, published)
        context.tables.merge_new(fresh, fact.table, within, transaction)

    return store


def _store_nearest(
    context: Context, fact: Fact, batch: Parsed, within: Slice, transaction: Transaction
) -> None:
    """Keep the price nearest to each minute's end; the same batch again changes nothing."""
    del transaction
    # the times of two sources are in two units
    touched = replace(within, ids=None)
    held = context.tables.read(fact.table).where(touched.predicate())
    better = index_minutes.nearer(batch.valid, held)
    context.tables.upsert(better, fact.table, touched.predicate("t"))


FACTS: Mapping[str, Fact] = {
    fact.dataset: fact
    for fact in (
        Fact(
            "klines",
            SILVER_KLINES,
            "open_time_sent",
            klines.suite,
            _storing(publications.KLINES),
            in_ledger=False,
        ),
        Fact(
            "mark_klines",
            SILVER_MARK_KLINES,
            "open_time_sent",
            mark_bars.suite,
            _storing(publications.MARK_KLINES),
            in_ledger=False,
        ),
        Fact(
            "funding_rates",
            SILVER_FUNDING_RATES,
            "exchange_timestamp",
            funding_rates.suite,
            _storing(publications.FUNDING_RATES),
            in_ledger=False,
        ),
        Fact(
            "index_prices",
            SILVER_INDEX_PRICES,
            "exchange_timestamp",
            index_prices.suite,
            _store_nearest,
            in_ledger=False,
        ),
        Fact("trades", SILVER_TRADES, "trade_seq", trades.suite, _store_prints, in_ledger=True),
        Fact(
            "agg_trades",
            SILVER_AGG_TRADES,
            "agg_id",
            agg_trades.suite,
            _store_prints,
            in_ledger=True,
        ),
    )
}
