"""Discovered instruments to `silver.instruments`: what each listing was, from when to when."""

from __future__ import annotations

import logging

from pyspark.sql import DataFrame
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
    """Fold a batch of snapshots into the history of the listings, a venue's kind at a time."""
    observed = instruments.observed(envelopes.read(lines)).persist(KEPT)
    try:
        for venue in observed.select("exchange", "kind").distinct().collect():
            where = f"exchange = {quoted(venue['exchange'])} AND kind = {quoted(venue['kind'])}"
            current = context.tables.read(SILVER_INSTRUMENTS).where(where)
            history = instruments.history(current, observed.where(where)).persist(KEPT)
            try:
                _gate(context, history, batch_id)
                changed = _differs(history, current)
                if changed:
                    context.tables.replace(history, SILVER_INSTRUMENTS, where)
                log.info("%s %s changed=%s", NAME, where, changed)
            finally:
                history.unpersist()
    finally:
        observed.unpersist()


def _differs(history: DataFrame, current: DataFrame) -> bool:
    names = [name for name in history.columns if name != "legs"]
    texts = [F.col(name).cast("string") for name in names] + [F.to_json("legs")]
    return not (
        history.select(*texts).exceptAll(current.select(*texts)).isEmpty()
        and current.select(*texts).exceptAll(history.select(*texts)).isEmpty()
    )


def _gate(context: Context, history: DataFrame, batch_id: int) -> None:
    checks = [(SILVER_INSTRUMENTS.name, history, suites.suite())]
    gates.require(context, checks, batch_id=batch_id, rows=history.count())
