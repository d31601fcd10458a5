"""The notebook of the microstructure, against the same counts made in plain Python."""

from __future__ import annotations

import base64
from collections import Counter
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import deltalake
import pytest

from tests.notebooks.executed import NOTEBOOKS, Outputs, outputs_of, rows

PNG = b"\x89PNG\r\n\x1a\n"
pytestmark = pytest.mark.timeout(1500)
Print = tuple[int, Decimal, str, Decimal]


@pytest.fixture(scope="module")
def outputs(bundled_lake: Path) -> Outputs:
    return outputs_of(NOTEBOOKS / "microstructure.ipynb", bundled_lake)


@pytest.fixture(scope="module")
def prints(bundled_lake: Path) -> list[Print]:
    """Microseconds, price, side and quantity of each print, by id."""
    table = deltalake.DeltaTable(bundled_lake / "silver" / "agg_trades").to_pyarrow_table(
        columns=["agg_id", "trade_timestamp", "price", "taker_side", "quantity"]
    )
    columns = table.sort_by("agg_id").to_pydict()
    micros = [int(one.timestamp() * 1_000_000) for one in columns["trade_timestamp"]]
    return list(
        zip(micros, columns["price"], columns["taker_side"], columns["quantity"], strict=True)
    )


def test_the_waits_and_the_standing_prices_are_counted(
    outputs: Outputs, prints: list[Print]
) -> None:
    (flow,) = rows(outputs["flow"])

    assert flow["prints"] == str(len(prints))
    assert flow["same_moment"] == str(sum(a[0] == b[0] for a, b in pairwise(prints)))
    assert flow["same_price"] == str(sum(a[1] == b[1] for a, b in pairwise(prints)))


@pytest.mark.parametrize("apart", [1, 100])
def test_the_memory_of_the_signs_is_counted(
    outputs: Outputs, prints: list[Print], apart: int
) -> None:
    (found,) = (row for row in rows(outputs["signs"]) if row["apart"] == str(apart))

    pairs = list(zip(prints, prints[apart:], strict=False))
    assert found["pairs"] == str(len(pairs))
    assert found["same_side"] == str(sum(a[2] == b[2] for a, b in pairs))


def test_the_market_is_one_tick_wide(outputs: Outputs, prints: list[Print]) -> None:
    first = rows(outputs["spread"])[0]

    jumps = Counter(abs(b[1] - a[1]) * 100 for a, b in pairwise(prints) if a[2] != b[2])
    assert (first["ticks"], first["crossings"]) == ("1", str(jumps[Decimal(1)]))


def test_the_minutes_with_the_most_buying_rise(outputs: Outputs, prints: list[Print]) -> None:
    tenths = rows(outputs["impact"])

    closes: dict[int, Decimal] = {}
    flow: dict[int, Decimal] = {}
    for micros, price, side, quantity in prints:
        minute = micros // 60_000_000
        closes[minute] = price
        flow[minute] = flow.get(minute, Decimal(0)) + (quantity if side == "buy" else -quantity)
    moved = [(flow[b], closes[b] - closes[a]) for a, b in pairwise(sorted(closes))]
    assert sum(int(row["minutes"]) for row in tenths) == len(moved)
    assert sum(int(row["up"]) for row in tenths) == sum(move > 0 for _, move in moved)
    assert Decimal(tenths[-1]["to_btc"]) == max(imbalance for imbalance, _ in moved)
    assert Decimal(tenths[0]["mean_move_usdt"]) < 0 < Decimal(tenths[-1]["mean_move_usdt"])


def test_the_chart_of_the_flow_is_a_picture(outputs: Outputs) -> None:
    picture = base64.b64decode(outputs["chart"])

    assert picture.startswith(PNG)
    assert len(picture) > 10_000
