from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import batches as b
import pytest
from pyspark.sql import SparkSession

from expectations import data_docs, validation
from expectations.rules import Expected
from lake.errors import UsageError
from lake.objects import FolderStore
from lake.storage import Tables
from lake.tables import OPS_GATE_RESULTS

ROOT = Path(__file__).parents[2]
COMMAND = "from jobs import application, data_docs; application.run_job(data_docs.data_docs)"

REJECTED = '{"rows": 3, "allowed": 20}'
BROKEN = '{"rows": 2, "allowed": 0, "example": {"price": "0"}}'


def result(expectation: str, *, batch_id: int, success: bool, observed: str) -> dict[str, Any]:
    return {
        "run_id": "run-1",
        "table_name": "silver.trades",
        "batch_id": batch_id,
        "attempt": 1,
        "expectation": expectation,
        "success": success,
        "severity": "critical",
        "observed": observed,
        "rows": 1000,
        "rejected_rows": 3,
        "checked_at": b.CHECKED_AT + timedelta(hours=batch_id),
    }


RESULTS = [
    result("rejected_rows_within_limit", batch_id=1, success=True, observed=REJECTED),
    result("price_above_zero", batch_id=1, success=False, observed=BROKEN),
    result("rejected_rows_within_limit", batch_id=2, success=True, observed=REJECTED),
]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return data_docs.build(RESULTS, tmp_path / "docs")


def test_the_site_has_a_page_a_batch(site: Path) -> None:
    assert site.name == "index.html"
    assert len(list((site.parent / "validations").rglob("*.html"))) == 2
    lines = re.findall(r"<tr><td.*</tr>", site.read_text())
    assert ["1, attempt 1, run run-1" in line for line in lines] == [False, True]
    assert ["2, attempt 1, run run-1" in line for line in lines] == [True, False]


def test_the_index_names_what_was_not_met_and_leads_to_its_page(site: Path) -> None:
    passed, failed = re.findall(r"<tr><td.*</tr>", site.read_text())

    assert "passed" in passed
    assert "price_above_zero" not in passed
    assert "failed" in failed
    assert "2024-01-03T01:00:00Z" in failed
    assert "<td>price_above_zero</td>" in failed
    (link,) = re.findall(r'href="([^"]+)"', failed)
    page = site.parent / unquote(link)
    assert "price_above_zero: at most 0 rows break it" in page.read_text()
    (home,) = re.findall(r'<a href="([^"]+)">Home', page.read_text())
    assert (page.parent / home).resolve() == site.resolve()


def test_no_page_asks_another_host_or_runs_a_script(site: Path) -> None:
    """Without a network, pages that need one show no verdict at all."""
    pages = [path.read_text() for path in site.parent.rglob("*.html")]

    assert len(pages) > 2
    for page in pages:
        assert "<script" not in page
        assert not re.search(r"<(link|img|iframe)[^>]*https?://", page)
        assert 'i.text-danger::before { content: "failed" }' in page


def test_a_page_shows_each_expectation_with_what_was_counted(site: Path) -> None:
    failed = next(
        page
        for page in (site.parent / "validations").rglob("*.html")
        if "price_above_zero" in page.read_text()
    ).read_text()

    assert "price_above_zero: at most 0 rows break it" in failed
    assert "rejected_rows_within_limit: at most 20 rows break it" in failed
    assert "Failed" in failed


def test_a_gate_works_on_after_the_site_was_built(site: Path) -> None:
    assert validation.failed("t", [Expected("fails", "critical", 1)]) == {"fails"}


def test_a_former_site_is_replaced(site: Path) -> None:
    again = data_docs.build(RESULTS[2:], site.parent)

    assert len(list((again.parent / "validations").rglob("*.html"))) == 1


def test_a_folder_with_anything_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("of someone")

    with pytest.raises(UsageError, match="holds something else"):
        data_docs.build(RESULTS, tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def run(lake: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", COMMAND, "--set", f"lake.root={lake}", *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TZ": "America/New_York"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_command_builds_the_site_of_a_lake_and_prints_its_path_alone(
    spark: SparkSession, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    tables = Tables(spark, FolderStore(lake))
    tables.ensure(OPS_GATE_RESULTS)
    tables.append(spark.createDataFrame(RESULTS, OPS_GATE_RESULTS.schema), OPS_GATE_RESULTS)

    done = run(lake)

    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == f"{lake}/data_docs/index.html\n"
    index = (lake / "data_docs" / "index.html").read_text()
    assert "<td>price_above_zero</td>" in index
    assert "2024-01-03T01:00:00Z" in index


@pytest.mark.slow
def test_the_command_says_that_no_gate_has_run(tmp_path: Path) -> None:
    done = run(tmp_path / "lake", "--out", str(tmp_path / "docs"))

    assert done.returncode == 2
    assert done.stdout == ""
    assert "no gate has run in this lake yet" in done.stderr
    assert not (tmp_path / "docs").exists()
