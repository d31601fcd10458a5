"""What tables promise their readers: no column changes without its version, by one rule."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lake.contracts import VERSIONS
from lake.tables import TABLES, Table

ROOT = Path(__file__).parents[2]
#: Table -> version -> what it covers, oldest first.
WRITTEN: dict[str, dict[str, Any]] = json.loads(
    (ROOT / "docs" / "contracts.json").read_text(encoding="utf-8")
)


def covered(table: Table) -> dict[str, Any]:
    """Return what a version covers: columns by name, what makes a row unique, partitions."""
    return {
        "columns": {
            field.name: field.dataType.simpleString() + ("" if field.nullable else " not null")
            for field in table.schema
        },
        "key": list(table.key),
        "partitions": list(table.partitions),
    }


def number(version: str) -> tuple[int, int]:
    major, minor = version.split(".")
    return int(major), int(minor)


def is_right_step(before: tuple[str, dict[str, Any]], after: tuple[str, dict[str, Any]]) -> bool:
    """Tell whether a version has the number that the change from the one before wants."""
    (old, was), (new, now) = before, after
    major, minor = number(old)
    only_more = was["key"] == now["key"] and was["partitions"] == now["partitions"]
    only_more &= all(now["columns"].get(name) == kind for name, kind in was["columns"].items())
    added = {name: kind for name, kind in now["columns"].items() if name not in was["columns"]}
    only_more &= all(not kind.endswith(" not null") for kind in added.values())
    return number(new) == ((major, minor + 1) if only_more else (major + 1, 0))


@pytest.mark.parametrize("name", VERSIONS)
def test_a_table_is_what_its_version_says(name: str) -> None:
    version, written = list(WRITTEN[name].items())[-1]

    assert version == VERSIONS[name]
    assert written == covered(TABLES[name]), (
        f"{name} has changed: give it a new version in lake/contracts.py, and add it to"
        f" docs/contracts.json below the old one:\n{json.dumps(covered(TABLES[name]))}"
    )


@pytest.mark.parametrize("name", VERSIONS)
def test_each_version_follows_from_the_one_before(name: str) -> None:
    versions = list(WRITTEN[name].items())

    assert [one for one in pairwise(versions) if not is_right_step(*one)] == []
    assert number(versions[0][0]) == (1, 0)


def test_what_consumers_read_has_a_version() -> None:
    promised = {name for name in TABLES if name.startswith(("silver.", "gold."))}

    assert promised - set(VERSIONS) == {"gold.source_bars"}
    assert set(VERSIONS) == set(WRITTEN)


OLD = {"columns": {"a": "int not null", "b": "string"}, "key": ["a"], "partitions": []}


@pytest.mark.parametrize(
    ("change", "version", "is_right"),
    [
        ({"columns": {**OLD["columns"], "c": "int"}}, "1.1", True),  # type: ignore[dict-item]
        ({"columns": {**OLD["columns"], "c": "int"}}, "2.0", False),  # type: ignore[dict-item]
        ({"columns": {**OLD["columns"], "c": "int not null"}}, "1.1", False),  # type: ignore[dict-item]
        ({"columns": {"a": "int not null"}}, "1.1", False),
        ({"columns": {"a": "int not null"}}, "2.0", True),
        ({"columns": {"a": "bigint not null", "b": "string"}}, "2.0", True),
        ({"columns": {"a": "int", "b": "string"}}, "1.1", False),
        ({"key": ["a", "b"]}, "1.1", False),
        ({"partitions": ["a"]}, "2.0", True),
    ],
)
def test_the_rule_tells_additions_from_changes(
    change: dict[str, Any],
    version: str,
    is_right: bool,  # noqa: FBT001 - a parameter of the table above
) -> None:
    assert is_right_step(("1.0", OLD), (version, {**OLD, **change})) is is_right
