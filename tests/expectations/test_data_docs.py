from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import batches as b
import pytest

from expectations import data_docs, validation
from lake.errors import UsageError

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
    index = site.read_text()
    assert "silver.trades batch 1 attempt 1 of run run-1" in index
    assert "silver.trades batch 2 attempt 1 of run run-1" in index


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
    assert validation.failed("t", [validation.Expected("fails", "critical", 1)]) == {"fails"}


def test_a_former_site_is_replaced(site: Path) -> None:
    again = data_docs.build(RESULTS[2:], site.parent)

    assert len(list((again.parent / "validations").rglob("*.html"))) == 1


def test_a_folder_with_anything_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("of someone")

    with pytest.raises(UsageError, match="holds something else"):
        data_docs.build(RESULTS, tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
