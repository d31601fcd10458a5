"""What the pipeline says of its tables at the end of a pass, against the tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs.context import Context
from jobs.status.pipeline_state import Mark, OpenHoles, PipelineState, last
from jobs.status.publishing import publish_pass, publish_stop
from lake.clock import to_iso, to_millis
from lake.errors import GateError
from lake.frames import local_frame
from lake.tables import OPS_CONTINUITY, OPS_WATERMARKS, Table
from tests.jobs.conftest import OpenLake

pytestmark = pytest.mark.spark
AT = datetime(2025, 3, 5, 12, 30, 15, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BITCOIN = ("binance", "spot", "BTCUSDT")


def add(context: Context, table: Table, *rows: dict[str, Any]) -> None:
    """Append rows; a column that is not named is null."""
    names = table.schema.names
    frame = local_frame(
        context.spark, [[row.get(name) for name in names] for row in rows], table.schema
    )
    context.tables.append(frame, table)


def entry(sort: str, state: str, first: int, last_id: int, until: datetime) -> dict[str, Any]:
    exchange, kind, instrument = BITCOIN
    return {
        "exchange": exchange,
        "kind": kind,
        "instrument": instrument,
        "instrument_uid": instrument,
        "dataset": "trades",
        "entry": sort,
        "first_id": first,
        "last_id": last_id,
        "proved_from": until - MINUTE,
        "proved_until": until,
        "state": state,
    }


def said(context: Context) -> PipelineState:
    found = last(context.store)
    assert found is not None
    return found


def test_a_pass_says_marks_and_open_holes_and_a_stop_says_why(open_lake: OpenLake) -> None:
    context = open_lake()
    exchange, kind, instrument = BITCOIN
    mark = {
        "exchange": exchange,
        "kind": kind,
        "instrument": instrument,
        "table_name": "gold.ohlcv",
        "complete_until": AT,
        "updated_at": AT,
    }
    add(context, OPS_WATERMARKS, mark)
    add(
        context,
        OPS_CONTINUITY,
        entry("held", "proved", 1, 100, AT),
        entry("hole", "open", 11, 20, AT - MINUTE),
        entry("hole", "open", 31, 31, AT),
        entry("hole", "proved", 41, 49, AT - 9 * MINUTE),
    )

    publish_pass(context, AT)

    assert said(context).marks == (Mark(*BITCOIN, "gold.ohlcv", to_millis(AT)),)
    oldest = to_millis(AT - MINUTE)
    assert said(context).open_holes == (OpenHoles(*BITCOIN, "trades", 2, 11, oldest),)
    assert (said(context).pass_began, said(context).error) == (to_iso(AT), "")

    add(context, OPS_WATERMARKS, {**mark, "instrument": "ETHUSDT"})
    publish_pass(context, AT + MINUTE, changed=False)

    assert said(context).pass_began == to_iso(AT + MINUTE)
    assert len(said(context).marks) == 1

    publish_stop(context, AT + 2 * MINUTE, GateError("a gate stopped the run"))

    assert "a gate stopped the run" in said(context).error
    assert len(said(context).marks) == 1

    publish_pass(context, AT + 3 * MINUTE)

    assert (len(said(context).marks), said(context).error) == (2, "")
