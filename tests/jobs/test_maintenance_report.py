"""The report of maintenance: what was found, what was left, for people and as JSON."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from jobs import maintain
from jobs.maintenance.parts import Shape
from jobs.maintenance.printing import as_grid, as_json
from jobs.maintenance.working import Outcome, properties_of
from lake.errors import UsageError
from lake.settings import load_settings
from lake.tables import GOLD_OHLCV, OPS_RUNS, TABLES

TRADES = Outcome(
    "silver.trades", Shape(12, 3_400_000, 200, 11), Shape(2, 3_000_000, 1_500_000, 0), 2, 10, ""
)
RUNS = Outcome("ops.runs", Shape(3, 900, 300, 3), Shape(3, 900, 300, 3), 0, 0, "a writer holds it")


def printed(*, is_dry: bool) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=maintain.WIDTH, color_system=None)
    console.print(as_grid([TRADES, RUNS], is_dry=is_dry))
    return [" ".join(line.split()) for line in out.getvalue().splitlines()]


def test_a_line_a_table_says_what_was_and_what_is() -> None:
    assert printed(is_dry=False) == [
        "table files small bytes median partitions removed",
        "silver.trades 12 > 2 11 > 0 3,400,000 > 3,000,000 200 > 1,500,000 2 10",
        "ops.runs 3 3 900 300 0 0",
    ]


def test_a_dry_run_says_what_would_be() -> None:
    assert printed(is_dry=True)[0] == "table files small bytes median to compact to remove"


def test_as_json_a_table_is_a_line() -> None:
    first, second = map(json.loads, as_json([TRADES, RUNS]).splitlines())

    assert (first["before"]["files"], first["after"]["files"], first["removed"]) == (12, 2, 10)
    assert second["left"] == "a writer holds it"


def test_tables_are_named_or_all() -> None:
    assert maintain._tables(None) == list(TABLES.values())
    assert [one.name for one in maintain._tables("gold.ohlcv, ops.runs")] == [
        "gold.ohlcv",
        "ops.runs",
    ]
    with pytest.raises(UsageError, match=r"no table 'gold\.olhcv'.*Known are silver\.trades"):
        maintain._tables("gold.olhcv")


def test_the_properties_of_a_table_are_its_own_and_the_settings() -> None:
    settings = load_settings("replay", ["maintenance.keep_files_days=21"], environ={}).maintenance

    told = properties_of(GOLD_OHLCV, settings)
    assert told["delta.deletedFileRetentionDuration"] == "interval 21 days"
    assert told["delta.logRetentionDuration"] == "interval 60 days"
    assert told["delta.dataSkippingStatsColumns"] == "exchange,kind,instrument,bar_start"
    assert told["candlelake.contract"] == "1.0"
    assert "delta.dataSkippingStatsColumns" not in properties_of(OPS_RUNS, settings)
