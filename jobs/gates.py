"""Runs the gates of a batch, keeps what they found, and stops the run where one of them fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from expectations import gate
from expectations.facts import Facts
from jobs.beside import beside
from jobs.context import Context
from lake.frames import local_frame
from lake.tables import OPS_GATE_RESULTS


@dataclass(frozen=True, slots=True)
class Check:
    """One frame of a batch, and the suite that it is held against.

    Attributes:
        name: the gate's, in the results.
        frame: without its rejected rows; looked at again only after a failure where `counted` is
            given.
        counted: what a pass of the caller's has counted already.
        reasons: why rows were rejected, reason -> rows.
    """

    name: str
    frame: DataFrame
    suite: gate.Suite
    counted: Facts | None = None
    reasons: Mapping[str, int] = field(default_factory=dict)


def judged(
    context: Context,
    checks: Sequence[Check],
    *,
    batch_id: int,
    rows: int,
    rejected_rows: int = 0,
    stream: str = "",
) -> Sequence[gate.Outcome]:
    """Hold the frames of one batch against their suites; nothing is kept, and nothing raised.

    Args:
        context: the run.
        checks: the frames and their suites.
        batch_id: the stream's, -1 outside a stream.
        rows: all rows of the batch.
        rejected_rows: those that a row rule sent to quarantine.
        stream: tells streams apart that bring batches to one gate.
    """
    attempts = _attempts(context, [check.name for check in checks], batch_id, stream)
    return [
        gate.check(
            check.frame,
            check.suite,
            table=check.name,
            rows=rows,
            rejected_rows=rejected_rows,
            limits=context.settings.bronze,
            run_id=context.run_id,
            batch_id=batch_id,
            attempt=attempts.get(check.name, 0) + 1,
            checked_at=context.clock.now(),
            reasons=check.reasons,
            counted=check.counted,
        )
        for check in checks
    ]


def keep(context: Context, outcomes: Sequence[gate.Outcome]) -> None:
    """Keep what the gates of a batch found, before anything of it is written.

    Raises:
        GateError: a critical expectation failed; nothing of the batch has been written.
    """
    _append(context, outcomes)
    for outcome in outcomes:
        outcome.require()


@contextmanager
def kept_beside(context: Context, outcomes: Sequence[gate.Outcome]) -> Iterator[None]:
    """Keep what the gates of a batch found while the body writes the batch, if all have passed.

    A run that is killed meanwhile sees the batch again, as its stream has not gone on: what was
    found is in the table before the next batch begins.

    Raises:
        GateError: a critical expectation failed; the body has not run.
    """
    if not all(outcome.passed for outcome in outcomes):
        keep(context, outcomes)
    with beside(partial(_append, context, outcomes)):
        yield


def _append(context: Context, outcomes: Sequence[gate.Outcome]) -> None:
    names = OPS_GATE_RESULTS.schema.names
    records = [
        tuple(result[name] for name in names) for outcome in outcomes for result in outcome.results
    ]
    frame = local_frame(context.spark, records, OPS_GATE_RESULTS.schema)
    context.tables.append(frame, OPS_GATE_RESULTS)


def _attempts(
    context: Context, names: Sequence[str], batch_id: int, stream: str
) -> Mapping[str, int]:
    """Return how often each gate has been tried on this batch.

    A batch behind one that this run has seen is new: a stream begins one when the last is done.
    """
    keys = {name: (name, stream, batch_id >= 0) for name in names}
    seen = {name: context.tried[key] for name, key in keys.items() if key in context.tried}
    found = {name: tried if last == batch_id else 0 for name, (last, tried) in seen.items()}
    unknown = [name for name in names if name not in seen or seen[name][0] > batch_id]
    if unknown:
        before = context.tables.read(OPS_GATE_RESULTS).where(
            F.col("table_name").isin(*unknown) & (F.col("batch_id") == batch_id)
        )
        newest = before.groupBy("table_name").agg(F.max("attempt").alias("attempt")).collect()
        found |= dict.fromkeys(unknown, 0)
        found |= {row["table_name"]: row["attempt"] for row in newest}
    context.tried.update({keys[name]: (batch_id, tried + 1) for name, tried in found.items()})
    return found
