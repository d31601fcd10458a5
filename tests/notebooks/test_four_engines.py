"""The notebook in which four engines answer alike, with the servers that it starts itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.notebooks.executed import NOTEBOOKS, Outputs, outputs_of

ENGINES = {"Spark SQL", "Spark Connect", "DuckDB", "Polars"}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def outputs(bundled_lake: Path) -> Outputs:
    return outputs_of(NOTEBOOKS / "one_answer_four_engines.ipynb", bundled_lake)


def test_four_engines_give_the_same_rows(outputs: Outputs) -> None:
    *told, first = outputs["same"].splitlines()

    assert {line.split("  ")[0].strip() for line in told} == ENGINES
    assert all(line.endswith("the same") for line in told)
    assert first == (
        "2024-01-01 00:00:00 42283.5800000000 42554.5700000000 42261.0200000000 42475.2300000000"
        " 1271.681080000000000000 47134"
    )


def test_they_listen_on_this_machine_and_end(outputs: Outputs) -> None:
    assert outputs["lake"] == "jdbc:hive2://127.0.0.1 sc://localhost\n"
    assert outputs["stop"] == "the server has ended: True\n"


def test_a_view_made_in_python_is_served(outputs: Outputs) -> None:
    assert outputs["filled"].startswith("Row(bars=")
