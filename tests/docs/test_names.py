"""What the documents name is there: files, tables, settings; and each decision has its page."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from jobs.catalog import VIEWS
from jobs.shared_views import KNOWN
from lake.tables import TABLES
from tests.docs.documents import DOCUMENTS, ROOT

ADRS = sorted((ROOT / "docs" / "adr").glob("*.md"))
#: Each decision that is hard to undo, and the page that records it.
DECISIONS = {
    "partitioning": 1,
    "utc-columns": 2,
    "single-writer": 3,
    "versions": 4,
    "gates": 5,
}
LONGEST_PAGE = 60
FOLDERS = "conf|lake|extract|transform|expectations|jobs|recordings|docs|bench|notebooks|deploy"
each = pytest.mark.parametrize("path", [*DOCUMENTS, *ADRS], ids=lambda path: path.stem)


def named(path: Path, pattern: str) -> set[str]:
    return set(re.findall(rf"`({pattern})`", path.read_text(encoding="utf-8")))


@each
def test_a_file_that_is_named_exists(path: Path) -> None:
    files = named(path, rf"(?:{FOLDERS})/[\w./-]*")

    assert {name for name in files if not (ROOT / name).exists()} == set()


@each
def test_a_table_that_is_named_exists(path: Path) -> None:
    tables = named(path, r"(?:silver|gold|ops)\.[a-z_]+")

    settings = {"gold.grace_seconds", "gold.bar_intervals"}
    assert tables - set(TABLES) - set(VIEWS) - set(KNOWN.values()) - settings == set()


@each
def test_a_setting_that_is_named_exists(path: Path) -> None:
    base = tomllib.loads((ROOT / "conf" / "base.toml").read_text(encoding="utf-8"))
    sections = "lake|extract|live|status|minute|continuous|bronze|window|exchanges"
    settings = named(path, rf"(?:{sections})\.[a-z_.]+")

    assert {name for name in settings if not is_set(base, name)} == set()


def is_set(document: dict[str, Any], name: str) -> bool:
    found: Any = document
    for part in name.split("."):
        if part not in found:
            return False
        found = found[part]
    return True


@pytest.mark.parametrize(("decision", "number"), DECISIONS.items())
def test_a_decision_that_is_hard_to_undo_has_its_page(decision: str, number: int) -> None:
    assert (ROOT / "docs" / "adr" / f"{number:04}-{decision}.md").is_file()


@pytest.mark.parametrize("path", ADRS, ids=lambda path: path.stem)
def test_a_decision_is_one_page_of_four_parts(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert text.startswith(f"# {int(path.name[:4])}. ")
    parts = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert parts == ["Status", "Context", "Decision", "Consequences"]
    assert len(text.splitlines()) <= LONGEST_PAGE
