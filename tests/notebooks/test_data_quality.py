"""The notebook of data quality tells of the lake what is so, and would tell of a hole."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import deltalake
import pytest

from tests.notebooks.executed import NOTEBOOKS, Outputs, outputs_of, rows

DATA_QUALITY = NOTEBOOKS / "data_quality.ipynb"
PNG = b"\x89PNG\r\n\x1a\n"
pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module")
def outputs(bundled_lake: Path) -> Outputs:
    return outputs_of(DATA_QUALITY, bundled_lake)


def test_every_gate_is_told_and_none_failed(outputs: Outputs) -> None:
    gates = {row["table_name"]: row for row in rows(outputs["gates"])}

    assert set(gates) >= {"bronze.agg_trades", "silver.agg_trades", "silver.klines", "gold.ohlcv"}
    assert {row["failed"] for row in gates.values()} == {"0"}
    assert rows(outputs["rejected"]) == []


def test_the_ids_are_recounted_in_the_trades(outputs: Outputs) -> None:
    """Trades of the hours as the exchange's own bars count them."""
    first, second = rows(outputs["recount"])[:2]

    assert (first["aggregates"], first["trades"], first["numbers"]) == ("36420", "47134", "47134")
    assert (second["trades"], second["numbers"], second["doubled"]) == ("50396", "50396", "0")


def test_no_minute_is_without_a_bar_and_each_bar_is_sane(outputs: Outputs) -> None:
    bars = {row["bar_interval"]: row for row in rows(outputs["bars"])}

    assert int(bars["1m"]["bars"]) >= 120
    assert int(bars["1m"]["complete"]) >= int(bars["1m"]["bars"]) - 1
    assert {row["without_bar"] for row in bars.values()} == {"0"}
    assert {row["insane"] for row in bars.values()} == {"0"}


def test_the_newest_certificate_is_shown(outputs: Outputs) -> None:
    certificate = rows(outputs["certificate"])[0]

    assert certificate["compared"] == certificate["equal"] != "0"
    assert certificate["unexplained"] == "0"


def test_a_hole_would_be_seen(bundled_lake: Path, tmp_path: Path) -> None:
    """Fifty trades and ten minutes of bars are taken out of a copy."""
    lake = tmp_path / "lake"
    for layer in ("silver", "gold", "ops"):
        shutil.copytree(bundled_lake / layer, lake / layer)
    deltalake.DeltaTable(lake / "silver" / "agg_trades").delete(
        "agg_id BETWEEN 2807760000 AND 2807760049"
    )
    deltalake.DeltaTable(lake / "gold" / "ohlcv").delete(
        "bar_interval = '1m' AND bar_start >= '2024-01-01T01:00:00Z'"
        " AND bar_start < '2024-01-01T01:10:00Z'"
    )

    outputs = outputs_of(DATA_QUALITY, lake)

    first = rows(outputs["recount"])[0]
    assert int(first["aggregates"]) == 36420 - 50
    assert int(first["numbers"]) == 47134 > int(first["trades"])
    minutes = next(row for row in rows(outputs["bars"]) if row["bar_interval"] == "1m")
    assert minutes["without_bar"] == "10"


def test_the_chart_of_the_minutes_is_a_picture(outputs: Outputs) -> None:
    picture = base64.b64decode(outputs["chart"])

    assert picture.startswith(PNG)
    assert len(picture) > 10_000
