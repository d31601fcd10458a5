"""Certificates as people read them: a line each, then the first differences with their causes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

from pyspark.sql import Row

from jobs.reconciliation.checks import Outcome
from lake.clock import to_iso


def print_outcome(outcome: Outcome, out: TextIO) -> None:
    """Print what one comparison came to."""
    about = outcome.about
    start, end = (to_iso(moment)[:16] + "Z" for moment in about.window)
    out.write(f"certificate {start} to {end}: {about.left} against {about.right}\n")
    out.writelines(f"  {_certificate(row)}\n" for row in outcome.rows)
    out.writelines(f"    {_difference(row)}\n" for row in outcome.differences)


def _certificate(row: Row) -> str:
    counts = [f"{row['left_rows']} and {row['right_rows']} rows, {row['matched']} matched"]
    counts += [f"{row[name]} {told}" for name, told in COUNTS.items()]
    causes: Mapping[str, int] = row["causes"]
    told = ", ".join(f"{cause} {count}" for cause, count in sorted(causes.items())) or "none"
    return f"{_named(row)}: {', '.join(counts)}. Causes: {told}"


COUNTS: Mapping[str, str] = {
    "only_left": "only left",
    "only_right": "only right",
    "different": "fields different",
    "undetermined": "undetermined",
    "unexplained": "unexplained",
}


def _named(row: Row) -> str:
    words = (row["exchange"], row["kind"], row["instrument"], row["dataset"], row["bar_interval"])
    return " ".join(word for word in words if word)


def _difference(row: Row) -> str:
    ids = f"{row['first_id']}" if row["rows"] == 1 else f"{row['first_id']} to {row['last_id']}"
    said = f"{row['left_value']} and {row['right_value']}"
    words = [
        f"{row['instrument']} {ids} at {row['from_timestamp']:%H:%M:%S}: {row['field']} {said}"
    ]
    words += [row["cause"], row["incident_id"], row["evidence"]]
    return ", ".join(word for word in words if word)
