"""Runs the gates of a batch, keeps what they found, and stops the run where one of them fails."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from expectations import gate
from jobs.context import Context
from lake.frames import local_frame
from lake.tables import OPS_GATE_RESULTS


def require(
    context: Context,
    checks: Sequence[tuple[str, DataFrame, gate.Suite]],
    *,
    batch_id: int,
    rows: int,
    rejected_rows: int = 0,
) -> None:
    """Hold the frames of one batch against their suites.

    Args:
        context: the run.
        checks: the gate's name in the results, the frame, its suite.
        batch_id: the stream's, -1 outside a stream.
        rows: all rows of the batch.
        rejected_rows: those that a row rule sent to quarantine.

    Raises:
        GateError: a critical expectation failed; nothing of the batch has been written.
    """
    outcomes = [
        gate.check(
            frame,
            suite,
            table=name,
            rows=rows,
            rejected_rows=rejected_rows,
            limits=context.settings.bronze,
            run_id=context.run_id,
            batch_id=batch_id,
            attempt=_attempt(context, name, batch_id),
            checked_at=context.clock.now(),
        )
        for name, frame, suite in checks
    ]
    results = [result for outcome in outcomes for result in outcome.results]
    names = OPS_GATE_RESULTS.schema.names
    records = [tuple(result[name] for name in names) for result in results]
    frame = local_frame(context.spark, records, OPS_GATE_RESULTS.schema)
    context.tables.append(frame, OPS_GATE_RESULTS)
    for outcome in outcomes:
        outcome.require()


def _attempt(context: Context, name: str, batch_id: int) -> int:
    before = context.tables.read(OPS_GATE_RESULTS).where(
        (F.col("table_name") == name) & (F.col("batch_id") == batch_id)
    )
    newest = before.agg(F.max("attempt").alias("attempt")).collect()[0]["attempt"]
    return 1 + (newest or 0)
