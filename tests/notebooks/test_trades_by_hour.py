"""The notebook of the hours of the day, on the first hours of the bundled day."""

from __future__ import annotations

import base64
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from tests.notebooks.executed import NOTEBOOKS, Outputs, execute, outputs_of, rows

TRADES_BY_HOUR = NOTEBOOKS / "trades_by_hour.ipynb"
PNG = b"\x89PNG\r\n\x1a\n"
pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module")
def outputs(bundled_lake: Path) -> Outputs:
    return outputs_of(TRADES_BY_HOUR, bundled_lake)


def test_the_hours_are_the_exchanges_own(outputs: Outputs) -> None:
    """Hand-copied from the exchange's answer to klines of 1h, but for the fills.

    Takers bought 682.57581 of 1271.68108 BTC, then 712.32227 of 1196.37856.
    """
    first, second = rows(outputs["hours"])[:2]

    assert first == {
        "hour": "0",
        "trades": "47134",
        "fills": "36420",
        "btc": "1271.68108",
        "bought_percent": "53.7",
    }
    assert second == {
        "hour": "1",
        "trades": "50396",
        "fills": "39923",
        "btc": "1196.37856",
        "bought_percent": "59.5",
    }


def test_the_sizes_are_of_real_fills(outputs: Outputs) -> None:
    """Counted in the recording with awk and sort."""
    every, first = rows(outputs["sizes"])[:2]

    assert every["hour"] == "all"
    assert first == {
        "hour": "0",
        "fills": "36420",
        "median": "57.7072616",
        "p90": "2518.95036",
        "p99": "24956.7025851",
        "largest": "515015.6401136",
    }


def test_the_fills_are_told_by_how_many_makers_they_met(outputs: Outputs) -> None:
    """Counted in the recording with awk."""
    first = rows(outputs["makers"])[0]

    assert list(first.values()) == ["0", "36420", "32450", "2338", "1133", "499", "234"]


@pytest.mark.parametrize("cell", ["hours-chart", "sizes-chart"])
def test_the_charts_are_pictures(outputs: Outputs, cell: str) -> None:
    picture = base64.b64decode(outputs[cell])

    assert picture.startswith(PNG)
    assert len(picture) > 10_000


def test_without_a_lake_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CANDLELAKE_LAKE__ROOT", str(tmp_path / "nothing"))
        notebook = nbformat.read(TRADES_BY_HOUR, as_version=4)
        del notebook.cells[2:]

        with pytest.raises(CellExecutionError, match=r"run ./spark-submit.sh pipeline first"):
            execute(notebook)
