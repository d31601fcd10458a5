"""What a reconciliation leaves in the lake: both sides as Parquet, and the page of its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, Row

from jobs import data_docs
from jobs.context import Context
from jobs.options import Segment
from jobs.reconciliation.compared import keep_compared
from jobs.reconciliation.ledger import About, append
from jobs.reconciliation.report.gathering import Checked, gather
from jobs.reconciliation.reporting import conclude
from jobs.reconciliation.sides import REJECTED
from lake import schemas, schemas_of_incidents
from lake.errors import GateError
from lake.frames import local_frame
from tests.jobs.conftest import OpenLake
from tests.transform.frames import at, frame
from transform.reconciliation import prints
from transform.reconciliation.attribution import Frame
from transform.reconciliation.evidence import CLAIMS, Evidence
from transform.reconciliation.subjects import SUBJECTS

pytestmark = [pytest.mark.spark, pytest.mark.slow]

WINDOW = (at("00:05:00"), at("00:10:00"))
ABOUT = About("stream", "trades", "live", "rest", WINDOW)
SPOT = Segment("binance", "spot", ("*",))


def trade(identifier: int, price: str) -> dict[str, Any]:
    moment = WINDOW[0] + timedelta(minutes=2, seconds=identifier)
    times = {"trade_timestamp": moment, "knowledge_timestamp": moment}
    numbers = {"trade_seq": identifier, "price": price, "quantity": "2", "contract_size": "1"}
    return {**numbers, **times, "bronze_file": "bronze/some", "bronze_line": identifier}


def compared(context: Context) -> Sequence[Row]:
    """Compare three trades, of which the stream has lost the second, and keep what comes of it."""
    spark = context.spark
    rows = [trade(1, "10"), trade(2, "11"), trade(3, "12")]
    left, right = (frame(spark, schemas.TRADES, side) for side in (rows[::2], rows))
    evidence = Evidence(
        local_frame(spark, [], CLAIMS),
        local_frame(spark, [], REJECTED),
        frame(spark, schemas_of_incidents.INCIDENTS, []),
    )
    made = prints.compare(
        left,
        right,
        SUBJECTS["trades"],
        Frame("live", "rest", WINDOW, timedelta(seconds=2)),
        evidence,
        keep=DataFrame.persist,
    )
    certificates = append(context, ABOUT, made.totals, made.differences)
    keep_compared(context, ABOUT, SPOT, made.pairs, certificates, is_whole=True)
    return certificates


def kept(context: Context) -> list[dict[str, Any]]:
    folder = place(context) / "compared" / "binance-spot-trades-live-rest.parquet"
    rows: list[dict[str, Any]] = pq.read_table(folder).to_pylist()
    return sorted(rows, key=lambda row: row["id"])


def place(context: Context) -> Path:
    return Path(context.settings.lake.root) / "ops" / "qa" / context.run_id


def test_a_run_that_the_gate_stops_leaves_its_page_and_both_sides(open_lake: OpenLake) -> None:
    context = open_lake()
    site = data_docs.folder_of(context) / "index.html"
    site.parent.mkdir()
    site.touch()
    checked = Checked("stream", WINDOW, compared(context))

    with pytest.raises(GateError, match="1 differences are unexplained"):
        conclude(context, checked, report=True, notebook=False)

    told = (place(context) / "report.html").read_text(encoding="utf-8")
    assert (
        "1 difference is unexplained: trade 2 of BTCUSDT is in what the exchange answered" in told
    )
    assert "exit code 3" in told
    assert 'href="compared"' in told
    assert (place(context) / "../../../data_docs/index.html").exists()
    assert 'href="../../../data_docs/index.html"' in told
    assert 'href="download"' not in told
    assert [(row["id"], row["status"], row["left_price"]) for row in kept(context)] == [
        (1, "matched", 10),
        (2, "only_right", None),
        (3, "matched", 12),
    ]
    assert kept(context)[1]["right_price"] == 11
    assert kept(context)[1]["right_bronze_line"] == 2
    facts = gather(context, checked)
    (run,) = facts.runs
    assert (run.rows, run.matched, run.unexplained, run.run_id) == (3, 2, 1, context.run_id)
    assert run.checked_at.tzinfo is UTC
    assert datetime.now(UTC) - run.checked_at < timedelta(hours=1)
    assert facts.left_out == 0


def test_of_very_many_rows_only_those_that_differ_are_kept(open_lake: OpenLake) -> None:
    context = open_lake("reconcile.keep_rows=2")
    checked = Checked("stream", WINDOW, compared(context))

    assert [row["id"] for row in kept(context)] == [2]
    with pytest.raises(GateError):
        conclude(context, checked, report=False, notebook=False)
    assert not (place(context) / "report.html").exists()
