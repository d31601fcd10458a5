"""The notebook is executed as a reader would, on a lake that the pipeline made."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from tests.notebooks.executed import NOTEBOOKS, Outputs, execute, outputs_of, rows

FIRST_CANDLES = NOTEBOOKS / "first_candles.ipynb"
PNG = b"\x89PNG\r\n\x1a\n"
pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module")
def outputs(bundled_lake: Path) -> Outputs:
    return outputs_of(FIRST_CANDLES, bundled_lake)


def test_every_table_is_counted(outputs: Outputs) -> None:
    counted = {row["table_name"]: int(row["row_count"]) for row in rows(outputs["tables"])}

    assert set(counted) >= {"silver.agg_trades", "silver.klines", "gold.ohlcv", "ops.watermarks"}
    # two hours hold so many aggregate trades, the whole day 863,403
    assert counted["silver.agg_trades"] >= 70_000
    assert counted["ops.quarantine"] == 0


def test_the_first_trades_are_the_exchanges(outputs: Outputs) -> None:
    """Hand-copied from the recording: the first two aggregate trades of 2024."""
    first, second = rows(outputs["minute"])[:2]

    assert list(first.values()) == [
        *("2807759891", "2024-01-01 00:00:00", "42283.58", "0.00069", "sell"),
        *("3344774379", "3344774379"),
    ]
    assert list(second.values())[:5] == [
        *("2807759892", "2024-01-01 00:00:00.001000", "42283.59", "0.00144", "buy"),
    ]


def test_a_minute_of_trades_gives_the_minutes_candle(outputs: Outputs) -> None:
    trades, candle = rows(outputs["minute-bar"])

    assert trades.pop("made") == "from the trades"
    assert candle.pop("made") == "gold.ohlcv"
    assert trades == candle
    assert candle["trade_count"] == "1327"


def test_the_hourly_candles_are_the_exchanges_own_bars(outputs: Outputs) -> None:
    """Hand-copied from the exchange's answer to klines of 1h."""
    first, second = rows(outputs["hours"])[:2]

    assert first == {
        "bar_start": "2024-01-01 00:00:00",
        "open": "42283.58",
        "high": "42554.57",
        "low": "42261.02",
        "close": "42475.23",
        "volume": "1271.68108",
        "trade_count": "47134",
        "built_from": "agg_trades",
        "is_complete": "True",
    }
    assert (second["open"], second["close"], second["high"]) == ("42475.23", "42613.56", "42775")
    (equal,) = rows(outputs["equal"])
    assert equal["bars_equal"] == equal["bars_compared"] == str(len(rows(outputs["hours"])))


def test_the_chart_is_a_picture(outputs: Outputs) -> None:
    picture = base64.b64decode(outputs["chart"])

    assert picture.startswith(PNG)
    assert len(picture) > 10_000


def test_the_certificate_and_the_watermark_are_read(outputs: Outputs) -> None:
    lines = [line.split(maxsplit=1) for line in outputs["certificate"].splitlines()]
    certificate = {name: value.strip() for name, value in lines}

    hours = len(rows(outputs["hours"]))
    assert certificate["window_start"] == "2024-01-01 00:00:00+00:00"
    assert Decimal(certificate["compared"]) == Decimal(certificate["equal"]) == 9 * hours
    assert certificate["unexplained"] == "0"
    (watermark,) = rows(outputs["watermarks"])
    assert (watermark["instrument"], watermark["table_name"]) == ("BTCUSDT", "gold.ohlcv")
    assert watermark["complete_until"] == certificate["window_end"].removesuffix("+00:00")


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_outputs(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]

    assert code
    assert [cell["outputs"] for cell in code] == [[]] * len(code)
    assert [cell["execution_count"] for cell in code] == [None] * len(code)


def test_without_a_lake_the_notebook_says_what_to_run(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CANDLELAKE_LAKE__ROOT", str(tmp_path / "nothing"))
        notebook = nbformat.read(FIRST_CANDLES, as_version=4)
        del notebook.cells[2:]

        with pytest.raises(CellExecutionError, match=r"run ./spark-submit.sh pipeline first"):
            execute(notebook)
