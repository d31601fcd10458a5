"""Certificates and the evidence of differences, kept in `ops.*`: appended, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyspark.sql import DataFrame, Row

from jobs.context import Context
from jobs.streams import KEPT
from lake.tables import OPS_RECONCILIATION, OPS_RECONCILIATION_DIFFERENCES
from transform.reconciliation.certificates import stamped


@dataclass(frozen=True, slots=True)
class About:
    """What was compared with what, and in which window [start, end)."""

    check: str
    dataset: str
    left: str
    right: str
    window: tuple[datetime, datetime]


def append(
    context: Context, about: About, totals: DataFrame, differences: DataFrame
) -> Sequence[Row]:
    """Append the certificates and the evidence of their differences; return the certificates.

    The evidence goes first: a certificate that is there has all of its evidence.

    Args:
        context: the run.
        about: what was compared.
        totals: one row a certificate, as `RECONCILIATION` without what `about` says.
        differences: as `RECONCILIATION_DIFFERENCES`, likewise.
    """
    values = _values(context, about)
    found = stamped(differences, OPS_RECONCILIATION_DIFFERENCES.schema, values).persist(KEPT)
    certificates = stamped(totals, OPS_RECONCILIATION.schema, values).persist(KEPT)
    try:
        if not found.isEmpty():
            context.tables.append(found, OPS_RECONCILIATION_DIFFERENCES)
        rows = certificates.collect()
        if rows:
            context.tables.append(certificates, OPS_RECONCILIATION)
        return rows
    finally:
        found.unpersist()
        certificates.unpersist()


def _values(context: Context, about: About) -> dict[str, Any]:
    now = context.clock.now()
    return {
        "run_id": context.run_id,
        "check_name": about.check,
        "dataset": about.dataset,
        "left_side": about.left,
        "right_side": about.right,
        "window_start": about.window[0],
        "window_end": about.window[1],
        "checked_at": now,
        "detected_at": now,
    }
