"""Bulk runs in SQL: a label leads to its runs, and one that never ended has no counts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jobs.bulk import records
from jobs.bulk.request import Labels, Wanted, understood
from jobs.catalog import register, with_views
from jobs.context import Lake
from tests.jobs.conftest import OpenLake

pytestmark = pytest.mark.spark
WANTED = Wanted(
    *("ccxt", "binance", "spot", None, "v1", "ohlcv", "csv"),
    *("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"),
)


def test_a_label_leads_to_its_runs(open_lake: OpenLake) -> None:
    context = open_lake()
    request = understood(WANTED)
    for run_id, tag in (("ended", "night"), ("killed", "day")):
        lake = Lake(context.settings, context.store, context.clock, run_id)
        records.begin(lake, request, Labels(action_tag=tag), ["BTCUSDT"])
        if run_id == "ended":
            records.end(lake, records.Outcome(2, 1440, 3, 0, ["exports/a.csv"]))
    register(context)

    rows = context.spark.sql(
        with_views(
            context,
            "select run_id, action_tag, universe, start_timestamp, rows, exports, 'ops.bulk_runs'"
            " from OPS.bulk_runs order by run_id",
        )
    ).collect()

    start = datetime(2024, 1, 1, tzinfo=UTC).replace(tzinfo=None)
    assert [tuple(row) for row in rows] == [
        ("ended", "night", "v1", start, 1440, ["exports/a.csv"], "ops.bulk_runs"),
        ("killed", "day", "v1", start, None, None, "ops.bulk_runs"),
    ]
