"""Reads what the tables say at the end of a pass of the pipeline, and puts it beside them."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from jobs.context import Context
from jobs.status.pipeline_state import Mark, OpenHoles, PipelineState, last, put
from lake.clock import to_iso
from lake.errors import CandlelakeError, StorageError
from lake.tables import OPS_CONTINUITY, OPS_WATERMARKS

log = logging.getLogger(__name__)


def publish_pass(context: Context, began: datetime, *, changed: bool = True) -> None:
    """Say in the lake how far the tables are, at the end of a pass of the pipeline.

    A store that refuses is told in the log, and stops no pass.

    Args:
        context: of the pass.
        began: when it began.
        changed: whether it may have written anything; where it has not, the tables are not read
            and what was said last is said again, with the new times.
    """
    try:
        before = None if changed else last(context.store)
        put(context.store, _again(context, before, began) if before else state_of(context, began))
    except StorageError as error:
        log.warning("the pipeline's status can't be written, it goes on: %s", error)


def publish_stop(context: Context, began: datetime, error: CandlelakeError) -> None:
    """Say in the lake what has stopped the pipeline, beside what was said last."""
    try:
        before = last(context.store) or PipelineState("", "", "", (), ())
        put(context.store, replace(_again(context, before, began), error=str(error)))
    except StorageError as refused:
        log.warning("the pipeline's status can't be written: %s", refused)


def state_of(context: Context, began: datetime) -> PipelineState:
    """Return how far the tables are.

    Raises:
        StorageError: a table can't be read.
    """
    read = context.tables.read
    marks, holes = _marks(read(OPS_WATERMARKS)), _open_holes(read(OPS_CONTINUITY))
    now = context.clock.now()
    return PipelineState(context.run_id, to_iso(began), to_iso(now), marks, holes)


def _again(context: Context, before: PipelineState, began: datetime) -> PipelineState:
    """Return what was said before, as of now."""
    return replace(
        before,
        run_id=context.run_id,
        pass_began=to_iso(began),
        pass_ended=to_iso(context.clock.now()),
        error="",
    )


def _marks(watermarks: DataFrame) -> tuple[Mark, ...]:
    until = F.unix_millis("complete_until")
    rows = watermarks.select("exchange", "kind", "instrument", "table_name", until).collect()
    return tuple(Mark(*row) for row in sorted(rows))


def _open_holes(continuity: DataFrame) -> tuple[OpenHoles, ...]:
    is_open = (F.col("entry") == "hole") & (F.col("state") == "open")
    ids = F.greatest(F.lit(0).cast("bigint"), F.col("last_id") - F.col("first_id") + 1)
    rows = (
        continuity.where(is_open)
        .groupBy("exchange", "kind", "instrument", "dataset")
        .agg(F.count(F.lit(1)), F.sum(ids), F.min(F.unix_millis("proved_until")))
        .collect()
    )
    return tuple(OpenHoles(*row) for row in sorted(rows))
