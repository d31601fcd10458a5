"""The gate between two layers: a batch is measured, judged, and stopped where a rule is broken."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from pyspark.sql import DataFrame

from expectations import facts
from expectations.facts import KEY_UNIQUE, Facts
from expectations.rules import Expected, Suite
from lake.errors import GateError

__all__ = ["Limits", "Outcome", "Suite", "check", "latest_plausible"]

#: How far an exchange's clock may be ahead of ours.
SKEW = timedelta(minutes=1)
REJECTED = "rejected_rows_within_limit"
LOST = "no_row_lost"


class Limits(Protocol):
    """How many rejected rows a batch may have; the settings' `bronze` section is one.

    Attributes:
        quarantine_share: of all rows of the batch, 0 to 1.
        quarantine_rows: so few never stop a batch, whatever their share.
    """

    @property
    def quarantine_share(self) -> float:
        """The share of all rows, 0 to 1."""

    @property
    def quarantine_rows(self) -> int:
        """The number that never stops a batch."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a gate found.

    Attributes:
        results: one row an expectation, as `lake.schemas.GATE_RESULTS`; `observed` is JSON:
            `rows` that broke the rule, `allowed`, and after a failure an `example`.
    """

    table: str
    batch_id: int
    results: Sequence[dict[str, Any]]

    @property
    def passed(self) -> bool:
        """Whether no critical expectation failed."""
        return not self._stopping

    def require(self) -> None:
        """Let a batch through that passed; warnings are in the results, and stop nothing.

        Raises:
            GateError: a critical expectation failed.
        """
        if self.passed:
            return
        broken = "; ".join(_sentence(result) for result in self._stopping)
        raise GateError(
            f"the gate of {self.table} stopped batch {self.batch_id}: {broken}",
            hint=_next_step({result["expectation"] for result in self._stopping}),
        )

    @property
    def _stopping(self) -> Sequence[dict[str, Any]]:
        failures = [result for result in self.results if not result["success"]]
        return [result for result in failures if result["severity"] == "critical"]


def check(
    frame: DataFrame,
    suite: Suite,
    *,
    table: str,
    rows: int,
    rejected_rows: int,
    limits: Limits,
    run_id: str,
    batch_id: int,
    attempt: int,
    checked_at: datetime,
    reasons: Mapping[str, int] | None = None,
    counted: Facts | None = None,
) -> Outcome:
    """Hold a batch against its suite; nothing stays cached, and nothing is raised.

    Append `results` to `ops.gate_results`, then call `require`.

    Args:
        frame: the batch without its rejected rows, cached by the caller; more columns than the
            suite names do no harm. A column that the schema calls required but the frame calls
            nullable is checked for real: Spark takes the frame's word for a column without nulls.
        suite: from the module named as the table.
        table: for the results and the message.
        rows: all rows of the batch, the rejected ones included.
        rejected_rows: those that a row rule sent to quarantine.
        limits: of rejected rows.
        run_id: for the results.
        batch_id: for the results and the message.
        attempt: 1 where the batch is checked for the first time.
        checked_at: now, aware; no exchange's time may be later by more than a minute.
        reasons: why rows were rejected, reason -> rows: for the message, since a batch that is
            stopped never reaches `ops.quarantine`.
        counted: of the frame, where a pass of the caller's has counted it already.
    """
    latest = latest_plausible(checked_at)
    counted = counted or facts.measure(frame, suite, latest=latest)
    expected = _expected(suite, counted, rows, rejected_rows, limits)
    from expectations import validation  # noqa: PLC0415 - what it imports takes seconds to load

    failed = validation.failed(table, expected)
    details = {name: _detail(frame, suite, name, latest, reasons or {}) for name in failed}
    batch = {
        "run_id": run_id,
        "table_name": table,
        "batch_id": batch_id,
        "attempt": attempt,
        "rows": rows,
        "rejected_rows": rejected_rows,
        "checked_at": checked_at,
    }
    return Outcome(table, batch_id, [{**batch, **_verdict(each, details)} for each in expected])


def latest_plausible(now: datetime) -> datetime:
    """Return the latest time that an exchange's clock may show."""
    return now + SKEW


def allowed_rejects(rows: int, limits: Limits) -> int:
    """Return how many of a batch's rows may be rejected."""
    share = Decimal(str(limits.quarantine_share)) * rows
    return max(int(share), limits.quarantine_rows)


def _expected(
    suite: Suite, counted: Facts, rows: int, rejected_rows: int, limits: Limits
) -> list[Expected]:
    rules = [Expected(rule.name, rule.severity, counted.broken[rule.name]) for rule in suite.rules]
    expected = [
        Expected(REJECTED, "critical", rejected_rows, allowed_rejects(rows, limits)),
        *rules,
    ]
    if suite.whole:
        expected.append(Expected(LOST, "critical", abs(rows - rejected_rows - counted.rows)))
    if counted.repeats is not None:
        expected.append(Expected(KEY_UNIQUE, "critical", counted.repeats))
    return expected


def _detail(
    frame: DataFrame, suite: Suite, name: str, latest: datetime, reasons: Mapping[str, int]
) -> dict[str, Any]:
    """Return what is looked up only after a failure: a row that shows it, or the reasons."""
    if name == REJECTED:
        return {"reasons": dict(sorted(reasons.items()))}
    example = facts.example(frame, suite, name, latest=latest)
    return {} if example is None else {"example": json.loads(example, parse_float=str)}


def _verdict(each: Expected, details: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return what is known of one expectation; `details` has the failed ones."""
    observed = {"rows": each.rows, "allowed": each.allowed, **details.get(each.name, {})}
    return {
        "expectation": each.name,
        "success": each.name not in details,
        "severity": each.severity,
        "observed": json.dumps(observed, ensure_ascii=False),
    }


def _sentence(result: Mapping[str, Any]) -> str:
    observed = json.loads(result["observed"])
    reasons = ", ".join(f"{reason} {rows}" for reason, rows in observed.get("reasons", {}).items())
    return (
        f"{result['expectation']} failed with {observed['rows']} of {result['rows']} rows"
        f" where {observed['allowed']} are allowed{f' ({reasons})' if reasons else ''}"
    )


def _next_step(broken: Collection[str]) -> str:
    look = (
        'See what was found: ./spark-submit.sh sql "select expectation, observed from'
        ' ops.gate_results where not success order by checked_at desc";'
    )
    if REJECTED in broken:
        return f"{look} then fix the parser, or raise bronze.quarantine_share; and run again."
    return f"{look} then fix the parser, and run again: the batch is still in bronze."
