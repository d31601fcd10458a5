"""`candlelake compare`: the same rows are identical, and the first that differ are told."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lake.tables import GOLD_OHLCV, SILVER_TRADES
from tests.front_door.commands import candlelake, the_error
from tests.serve_files.small_lake import LOADED, bar, trade, written

Rows = Sequence[dict[str, Any]]
LIVE = "bronze/trades/binance/spot/2024-01/BTCUSDT~live~i1_2~{}.ndjson.gz"
TRADES = [trade(1, 0, "1.5", source="live"), trade(2, 5, "1.6", source="live")]
BARS = [bar(0, "1.5"), bar(1, None), bar(2, "1.7")]


def lake_of(folder: Path, trades: Rows = TRADES, bars: Rows = BARS) -> Path:
    written(folder, SILVER_TRADES, trades)
    written(folder, GOLD_OHLCV, bars)
    return folder


def compare(here: Path, there: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return candlelake("compare", str(there), *words, "--set", f"lake.root={here}")


def test_rows_in_another_order_at_another_time_are_identical(tmp_path: Path) -> None:
    later = LOADED + timedelta(days=1)
    moved = [
        {**row, "knowledge_timestamp": later, "bronze_file": LIVE.format("b"), "bronze_line": 9}
        for row in reversed(TRADES)
    ]
    here = lake_of(tmp_path / "a", [{**row, "bronze_file": LIVE.format("a")} for row in TRADES])
    there = lake_of(tmp_path / "b", moved, BARS[::-1])

    done = compare(here, there)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        "silver.trades: 2 rows, identical",
        "gold.ohlcv: 3 rows, identical",
        "identical: 2 tables, 5 rows",
    ]


@pytest.mark.parametrize(
    ("trades", "bars", "said"),
    [
        (TRADES, [BARS[0], BARS[1], bar(2, "1.8")], "gold.ohlcv: 3 rows here, 3 there; first at"),
        (TRADES, [BARS[0], bar(1, "1.6"), BARS[2]], ": open is None here, 1.6"),
        (TRADES, BARS[:2], "gold.ohlcv: 3 rows here, 2 there; the longer one has rows behind"),
        (TRADES, [*BARS[:2], bar(2, "1.7", revision=1)], ": revision is 0 here, 1 there"),
        ([TRADES[0], {**TRADES[1], "quantity": Decimal(1)}], BARS, "silver.trades: 2 rows here"),
        ([TRADES[0], {**TRADES[1], "bronze_line": 9}], BARS, ": bronze_line is "),
    ],
)
def test_what_differs_is_told(tmp_path: Path, trades: Rows, bars: Rows, said: str) -> None:
    done = compare(lake_of(tmp_path / "a"), lake_of(tmp_path / "b", trades, bars))

    assert done.returncode == 1
    assert said in done.stdout
    assert done.stdout.splitlines()[-1].startswith("different: ")


def test_a_table_that_one_of_them_lacks_is_a_difference(tmp_path: Path) -> None:
    written(tmp_path / "b", GOLD_OHLCV, BARS)

    done = compare(lake_of(tmp_path / "a"), tmp_path / "b")

    assert done.returncode == 1
    assert "silver.trades: 2 rows here, 0 there" in done.stdout


def test_two_empty_folders_are_no_lakes(tmp_path: Path) -> None:
    assert "neither lake has a table" in the_error(compare(tmp_path / "a", tmp_path / "b"))


def test_serving_databases_are_compared_by_series_not_by_its_number(tmp_path: Path) -> None:
    here, there = lake_of(tmp_path / "a"), lake_of(tmp_path / "b")
    for number, place in enumerate((here, there), start=1):
        done = candlelake("database", "upgrade", "--set", f"lake.root={place}")
        assert done.returncode == 0, done.stderr
        fill(place, number, "1.50" if number == 1 else "1.5")

    same = compare(here, there, "--databases")
    fill(there, 2, "1.51")
    different = compare(here, there, "--databases")

    assert same.returncode == 0, same.stdout
    assert "serve.index_prices: 1 rows, identical" in same.stdout
    assert different.returncode == 1
    assert "serve.index_prices: 1 rows here, 1 there; first: " in different.stdout
    assert different.stdout.splitlines()[-1] == "different: serve.index_prices"


def fill(place: Path, number: int, price: str) -> None:
    with sqlite3.connect(place / "serve.sqlite") as database:
        database.execute("DELETE FROM index_prices")
        database.execute("DELETE FROM series")
        database.execute(
            "INSERT INTO series (series_id, series_type, exchange, kind, instrument,"
            " instrument_uid) VALUES (?, 'index', 'deribit', 'index', 'btc_usd', 'btc_usd')",
            (number,),
        )
        database.execute(
            "INSERT INTO index_prices (minute, price_time_us, series_id, price, timestamp_source,"
            " price_source) VALUES (60000, 60000000, ?, ?, 'exchange', 'channel')",
            (number, price),
        )
    database.close()
