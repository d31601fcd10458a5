"""Certificates and differences as plain rows, for the page and the notebook of a run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from jobs.coverage.drawing import to_svg
from jobs.coverage.heat_map import heat_map
from jobs.coverage.holdings import Entry, Holding
from jobs.reconciliation.report.facts import Link, Report, Run
from lake.clock import to_micros

START = datetime(2024, 1, 1, 0, 5, tzinfo=UTC)
END = START + timedelta(minutes=5)
CHECKED = datetime(2024, 1, 1, 0, 15, tzinfo=UTC)
#: What an exchange might call an instrument.
HOSTILE = '<img src=x onerror="alert(1)">&\u202e'


def certificate(**changes: Any) -> dict[str, Any]:
    """Return a row of `ops.reconciliation`: 417 trades that are the same on both sides."""
    return {
        "run_id": "run",
        "exchange": "binance",
        "kind": "spot",
        "instrument": "BTCUSDT",
        "check_name": "stream",
        "dataset": "trades",
        "bar_interval": "",
        "left_side": "live",
        "right_side": "rest",
        "window_start": START,
        "window_end": END,
        "left_rows": 417,
        "right_rows": 417,
        "matched": 417,
        "compared": 4170,
        "equal": 4170,
        "equal_after_rounding": 0,
        "not_derivable": 0,
        "different": 0,
        "only_left": 0,
        "only_right": 0,
        "unexplained": 0,
        "undetermined": 0,
        "causes": {},
        "findings": {},
        "left_hash": "1f2e",
        "right_hash": "1f2e",
        "checked_at": CHECKED,
        **changes,
    }


def difference(**changes: Any) -> dict[str, Any]:
    """Return a row of `ops.reconciliation_differences`: a price that nothing explains."""
    return {
        "run_id": "run",
        "exchange": "binance",
        "kind": "spot",
        "instrument": "BTCUSDT",
        "check_name": "stream",
        "dataset": "trades",
        "bar_interval": "",
        "left_side": "live",
        "right_side": "rest",
        "window_start": START,
        "window_end": END,
        "first_id": 7,
        "last_id": 7,
        "rows": 1,
        "from_timestamp": START,
        "until_timestamp": START + timedelta(milliseconds=1),
        "field": "price",
        "left_value": "42283.5800000000",
        "right_value": "42283.5900000000",
        "cause": "unexplained",
        "is_explained": False,
        "incident_id": None,
        "evidence": None,
        "left_bronze_file": "bronze/trades/binance/spot/live/2024-01-01/0001.ndjson.gz",
        "left_bronze_line": 3,
        "right_bronze_file": "bronze/trades/binance/spot/history/2024-01-01/0001.ndjson.gz",
        "right_bronze_line": 1,
        "detected_at": CHECKED,
        **changes,
    }


def lost(**changes: Any) -> dict[str, Any]:
    """Return a run of ids that the stream lost, with its cause."""
    named = {"first_id": 20, "last_id": 31, "rows": 12, "field": "row", "left_value": None}
    cause = {"right_value": "present", "cause": "disconnect", "is_explained": True}
    proof = {"evidence": "bronze/trades/refill", "left_bronze_file": None, "left_bronze_line": None}
    return difference(**{**named, **cause, **proof, **changes})


def run(number: int, **changes: Any) -> Run:
    """Return one of the runs before, ten minutes apart; all its rows match."""
    moment = CHECKED - timedelta(minutes=10) * (30 - number)
    values = {"rows": 417, "matched": 417, "unexplained": 0, **changes}
    return Run(f"run-{number}", moment, **values)


def report(**changes: Any) -> Report:
    """Return the facts of a page; without changes, of a run in which all is the same."""
    values: dict[str, Any] = {
        "run_id": "run",
        "check": "stream",
        "window": (START, END),
        "certificates": [certificate()],
        "runs": [run(number) for number in range(31)],
        "links": [Link("compared", "compared", "both sides, row beside row, as Parquet")],
        **changes,
    }
    return Report(**values)


def broken() -> Report:
    """Return the facts of a run with a difference that nothing explains and a hostile name."""
    counts = {"left_rows": 405, "matched": 404, "only_right": 12, "different": 1, "unexplained": 1}
    causes = {"disconnect": 12, "unexplained": 1}
    return report(
        certificates=[
            certificate(**counts, causes=causes, right_hash="77aa"),
            certificate(instrument=HOSTILE, left_rows=9, right_rows=9, matched=9),
            certificate(dataset="klines", bar_interval="1m", left_rows=5, right_rows=5, matched=5),
        ],
        differences=[difference(), lost(), lost(instrument=HOSTILE, incident_id="2024-01-01-x")],
        left_out=1234,
        runs=[run(number, matched=417 - 3 * (number == 30)) for number in range(31)],
        coverage=to_svg(heat_map([held("BTCUSDT"), held(HOSTILE)])),
        coverage_left_out=3,
        is_stopped=True,
    )


def held(instrument: str) -> Holding:
    """Return forty days of a ledger with an open hole and one of the exchange."""
    start, day = to_micros(START.replace(minute=0)), 86_400_000_000
    ours, theirs = start + 10 * day, start + 20 * day
    entries = [
        Entry("held", 1, 1000, start, start + 40 * day, "", "proved"),
        Entry("hole", 500, 520, ours, ours + 1000, "unknown", "open"),
        Entry("hole", 600, 620, theirs, theirs + 1000, "exchange_hole", "proved"),
    ]
    return Holding(("binance", "spot", instrument, instrument, "trades"), entries)
