"""The notebook of a reconciliation, run as the job runs it, on certificates without a pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import deltalake
import nbformat
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import types as T  # noqa: N812
from pyspark.sql.pandas.types import to_arrow_schema

from jobs.reconciliation import notebook
from lake.schemas_of_certificates import RECONCILIATION, RECONCILIATION_DIFFERENCES
from tests.reconciled import START, certificate, difference, lost

PNG = "iVBORw0KGgo"
#: A name that has to be quoted to stand in a cell.
RUN = "20240101T001500Z-it's"
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with two runs; the second has lost a run of ids and differs in a price."""
    root = tmp_path_factory.mktemp("lakes") / "it's a lake"
    counts = {"left_rows": 405, "matched": 404, "only_right": 12, "different": 1, "unexplained": 1}
    second = certificate(run_id=RUN, **counts, causes={"disconnect": 12, "unexplained": 1})
    keep(root / "ops" / "reconciliation", RECONCILIATION, [certificate(run_id="first"), second])
    found = [difference(run_id=RUN), lost(run_id=RUN), difference(run_id="first")]
    keep(root / "ops" / "reconciliation_differences", RECONCILIATION_DIFFERENCES, found)
    compared = root / "ops" / "qa" / RUN / "compared" / "binance-spot-trades-live-rest.parquet"
    compared.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([pair(7, "different"), pair(8, "matched")]), compared / "0")
    (compared / "0").rename(compared / "part-0.parquet")
    return root


def keep(path: Path, schema: T.StructType, rows: Sequence[Mapping[str, Any]]) -> None:
    arrow = to_arrow_schema(schema, timestamp_utc=True)
    listed = [
        {
            name: list(value.items()) if isinstance(value, Mapping) else value
            for name, value in row.items()
        }
        for row in rows
    ]
    deltalake.write_deltalake(path, pa.Table.from_pylist(listed, schema=arrow))


def pair(identifier: int, status: str) -> dict[str, Any]:
    places = {
        f"{side}_{name}": value
        for side in ("left", "right")
        for name, value in (
            ("price", "42283.58"),
            ("bronze_file", "bronze/file"),
            ("bronze_line", 1),
            ("end_download_timestamp", START),
        )
    }
    named = {"exchange": "binance", "kind": "spot", "instrument": "BTCUSDT"}
    key = {"instrument_uid": "BTCUSDT", "bar_interval": "", "id": identifier, "moment": START}
    return {**named, **key, "status": status, **places}


def test_the_executed_copy_shows_this_run(lake: Path) -> None:
    content, fault = notebook.executed(str(lake), RUN)

    assert fault == ""
    copy = nbformat.reads(content.decode(), as_version=4)
    told = {
        cell["id"]: "".join(
            output.get("text") or output["data"]["image/png"] for output in cell["outputs"]
        )
        for cell in copy.cells
        if cell["cell_type"] == "code"
    }
    assert f"run {RUN}, check stream: 2024-01-01 00:05:00 to 2024-01-01 00:10:00" in told["verdict"]
    assert "404 of 417 rows are the same on both sides" in told["verdict"]
    assert "1 differences are unexplained, 0 undetermined" in told["verdict"]
    first, second = told["causes"].splitlines()[1:]
    assert first.split()[:3] == ["unexplained", "False", "1"]
    assert second.split()[:4] == ["disconnect", "True", "12", "1"]
    assert told["differences"].count("42283.5900000000") == 1
    assert "binance-spot-trades-live-rest" in told["compared"]
    assert told["chart"].startswith(PNG)


def test_a_run_that_is_not_there_is_a_fault_and_its_copy_is_kept(lake: Path) -> None:
    content, fault = notebook.executed(str(lake), "never")

    assert fault
    assert b"injected-parameters" in content


def test_without_a_certificate_it_says_what_to_run(tmp_path: Path) -> None:
    _, fault = notebook.executed(str(tmp_path), "run")

    assert "run ./spark-submit.sh pipeline first" in fault
