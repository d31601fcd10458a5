"""Discovered instruments to `silver.instruments`: what each listing was, from when to when."""

from __future__ import annotations

import logging

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F  # noqa: N812

from expectations import instruments as suites
from jobs import gates
from jobs.context import Context
from jobs.streams import KEPT, bronze_lines, drain, has_bronze
from lake.storage import quoted
from lake.tables import SILVER_INSTRUMENTS
from transform import envelopes, instruments

log = logging.getLogger(__name__)
NAME = "silver.instruments"


def consume(context: Context) -> None:
    """Bring all discovered instruments into silver; the same snapshots again change nothing."""
    if has_bronze(context, "instruments"):
        drain(
            context,
            NAME,
            bronze_lines(context, "instruments"),
            lambda batch, batch_id: write_batch(context, batch, batch_id),
        )


def write_batch(context: Context, lines: DataFrame, batch_id: int) -> None:
    """Fold a batch of snapshots into the history of the listings, one after the other."""
    observed = instruments.observed(envelopes.read(lines)).persist(KEPT)
    try:
        snapshots = observed.select("exchange", "kind", "snapshot_at").distinct()
        for taken in snapshots.orderBy("snapshot_at", "exchange", "kind").collect():
            _fold(context, observed, taken, batch_id)
    finally:
        observed.unpersist()


def _fold(context: Context, observed: DataFrame, taken: Row, batch_id: int) -> None:
    where = f"exchange = {quoted(taken['exchange'])} AND kind = {quoted(taken['kind'])}"
    current = context.tables.read(SILVER_INSTRUMENTS).where(where)
    if _is_stale(current, taken):
        log.warning("%s passed over a snapshot from before what is known: %s", NAME, where)
        return
    snapshot = observed.where(where).where(F.col("snapshot_at") == F.lit(taken["snapshot_at"]))
    history = instruments.history(current, snapshot).persist(KEPT)
    try:
        changed = _differs(history, current)
        if changed:
            checks = [gates.Check(NAME, history, suites.suite())]
            outcomes = gates.judged(context, checks, batch_id=batch_id, rows=history.count())
            gates.keep(context, outcomes)
            context.tables.replace(history, SILVER_INSTRUMENTS, where)
        log.info("%s %s changed=%s", NAME, where, changed)
    finally:
        history.unpersist()


def _is_stale(current: DataFrame, taken: Row) -> bool:
    """Tell whether a snapshot is older than the newest change that another one has shown."""
    shown = current.where("valid_from_observed OR valid_to IS NOT NULL")
    newest = shown.agg(F.max(F.greatest("valid_from", "valid_to")).alias("at")).collect()[0]["at"]
    return newest is not None and taken["snapshot_at"] < newest


def _differs(history: DataFrame, current: DataFrame) -> bool:
    names = [name for name in history.columns if name != "legs"]
    texts = [F.col(name).cast("string") for name in names] + [F.to_json("legs")]
    return not (
        history.select(*texts).exceptAll(current.select(*texts)).isEmpty()
        and current.select(*texts).exceptAll(history.select(*texts)).isEmpty()
    )
