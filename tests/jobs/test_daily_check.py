"""Checks between two sources on a lake: certificates, evidence, the gate, and repair by ids."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from extract.coverage import Missing
from jobs.context import Context
from jobs.options import Segment, Selection
from jobs.reconciliation import checks, gate
from jobs.reconciliation.open_rows import unexplained_ids
from lake.errors import GateError, UsageError
from lake.tables import OPS_RECONCILIATION, OPS_RECONCILIATION_DIFFERENCES
from tests.jobs import live_frames
from tests.jobs.conftest import OpenLake
from tests.jobs.landed import held, know, land

pytestmark = [pytest.mark.spark, pytest.mark.slow]

START = datetime(2024, 1, 1, tzinfo=UTC)
START_MS = 1_704_067_200_000
WINDOW = (START, START.replace(minute=5))
SELECTION = Selection((Segment("binance", "spot", ("*",)),), *WINDOW, ("trades",), "rest")
DAILY = checks.Plan("daily", WINDOW, "", "never")
COUNTS = ("left_rows", "right_rows", "matched", "only_left", "only_right", "different")


def rest_row(identifier: int, **changes: str) -> str:
    """Return a trade as REST answers it: the same that the stream sent."""
    price = changes.get("price", f"100.{identifier:08}")
    maker = "true" if identifier % 2 == 0 else "false"
    return (
        f'{{"id":{identifier},"price":"{price}","qty":"0.01000000","quoteQty":"1.00000000",'
        f'"time":{START_MS + 1000 * identifier},"isBuyerMaker":{maker},"isBestMatch":true}}'
    )


def land_rest(context: Context, rows: list[str], ids: tuple[int, int], tag: str = "") -> None:
    body = "[" + ",".join(rows) + "]"
    times = (START_MS + 1000 * ids[0], START_MS + 1000 * (ids[1] + 1))
    land(context, "BTCUSDT", [body], ids=ids, times=times, dataset="trades", tag=tag)


def run(context: Context, plan: checks.Plan = DAILY) -> list[checks.Outcome]:
    return list(checks.run(context, plan, SELECTION))


@pytest.fixture
def lake(open_lake: OpenLake) -> Context:
    """Streamed: 0 to 99 but for 10 to 12, 50 and 60; REST lacks 60 too, and says another 70."""
    context = open_lake()
    know(context, {"instrument": "BTCUSDT", "base_unit": "BTC", "quote_unit": "USDT"})
    for first, count in ((0, 10), (13, 37), (51, 9), (61, 39)):
        at = datetime.fromtimestamp(START_MS / 1000 + first, UTC)
        live_frames.land(context, "BTCUSDT", first, count, at)
    rows = [rest_row(n, **({"price": "7.00000000"} if n == 70 else {})) for n in range(100)]
    land_rest(context, [*rows[:60], *rows[61:]], (0, 99))
    land_rest(context, rows[10:13], (10, 12), tag="20240101T000010Z-abc")
    return context


def test_a_day_is_told_row_by_row_and_what_is_missing_is_repaired_by_its_id(lake: Context) -> None:
    know(lake, {"instrument": "ETHUSDT"})
    (outcome,) = run(lake)

    row, silent = sorted(outcome.rows, key=lambda one: one["instrument"])
    # of another price the worth is another too
    assert [row[name] for name in COUNTS] == [95, 99, 94, 0, 4, 2]
    assert row["causes"] == {"disconnect": 3, "undetermined": 2, "unexplained": 2}
    assert (row["left_side"], row["right_side"], row["dataset"]) == ("live", "rest", "trades")
    assert row["left_hash"] != row["right_hash"]
    assert (silent["causes"], silent["left_rows"]) == ({"not_held": 1}, 0)
    evidence = sorted(
        (one["instrument"], one["first_id"], one["last_id"], one["field"], one["cause"])
        for one in held(lake, OPS_RECONCILIATION_DIFFERENCES)
    )
    assert evidence == [
        ("BTCUSDT", 10, 12, "row", "disconnect"),
        ("BTCUSDT", 50, 50, "row", "unexplained"),
        ("BTCUSDT", 60, 60, "gap", "unexplained"),
        ("BTCUSDT", 70, 70, "price", "undetermined"),
        ("BTCUSDT", 70, 70, "quote_quantity", "undetermined"),
        ("ETHUSDT", 0, 0, "universe", "not_held"),
    ]
    with pytest.raises(GateError, match="3 differences are unexplained") as stopped:
        gate.require(lake, outcome.rows)
    assert stopped.value.exit_code == 3

    of = ("binance", "spot", "BTCUSDT", "BTCUSDT", "trades")
    assert unexplained_ids(lake, SELECTION.segments) == {of: [Missing(50, 50), Missing(60, 60)]}
    for one in (50, 60):
        land_rest(lake, [rest_row(one)], (one, one), tag="20240102T000010Z-def")
    (outcome,) = run(replace(lake, run_id="run-2"))

    row = min(outcome.rows, key=lambda one: one["instrument"])
    assert row["causes"] == {"disconnect": 5, "undetermined": 2}
    assert unexplained_ids(lake, SELECTION.segments) == {}
    assert len(held(lake, OPS_RECONCILIATION)) == 4
    gate.require(lake, [row])


def test_nothing_to_check_is_said(open_lake: OpenLake) -> None:
    with pytest.raises(UsageError, match="bronze holds nothing of live"):
        run(open_lake())
