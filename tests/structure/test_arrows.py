"""The house's one-way arrows: who may import whom, and who alone may write a table."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Each room of the house, and the rooms of ours that it may import besides itself (design.md, 2).
MAY_IMPORT = {
    "lake": set(),
    "extract": {"lake"},
    "transform": {"lake"},
    "expectations": {"lake"},
    "jobs": {"lake", "extract", "transform", "expectations", "serve"},
    "serve": {"lake"},
    # the handlers of functions: thin, and without Spark like what they call
    "deploy": {"extract", "lake"},
}
SHIPPED = ("lake", "extract", "transform", "expectations", "jobs", "serve")
SPARK_SIDE = {
    "lake.schemas",
    "lake.schemas_of_certificates",
    "lake.schemas_of_incidents",
    "lake.schemas_of_indexes",
    "lake.schemas_of_information_bars",
    "lake.schemas_of_perpetuals",
    "lake.tables",
    "lake.storage",
    "lake.session",
}
SPARK = {"pyspark", "delta", "py4j", "great_expectations"}


@dataclass(frozen=True)
class Import:
    """One import: where it stands and the dotted name that it wants."""

    module: str
    wanted: str
    line: int

    @property
    def top(self) -> str:
        return self.wanted.partition(".")[0]


def modules(*rooms: str) -> dict[str, Path]:
    """Return the modules of these rooms under their dotted names."""
    found = {}
    for room in rooms:
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(part for part in parts if part != "__init__")] = path
    return found


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports_of(module: str, path: Path) -> Iterator[Import]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (Import(module, alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            yield Import(module, node.module or "", node.lineno)
            # `from lake import storage` wants lake.storage
            for alias in node.names:
                yield Import(module, f"{node.module}.{alias.name}", node.lineno)


def imports(*rooms: str) -> list[Import]:
    return [one for name, path in modules(*rooms).items() for one in imports_of(name, path)]


def told(found: Iterator[Import] | list[Import]) -> list[str]:
    return sorted({f"{one.module}:{one.line} imports {one.wanted}" for one in found})


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_the_rooms_below_it(room: str) -> None:
    forbidden = set(MAY_IMPORT) | {"tests", "bench", "notebooks"}
    forbidden -= MAY_IMPORT[room] | {room}

    assert told([one for one in imports(room) if one.top in forbidden]) == []


def test_every_room_with_python_has_its_arrow() -> None:
    rooms = {path.parent.name for path in ROOT.glob("*/*.py")}

    assert rooms - {"tests", "bench", "notebooks"} <= set(MAY_IMPORT)


def test_transform_sees_of_the_lake_its_schemas_alone_and_of_packages_pyspark() -> None:
    lake = {"lake", "lake.schemas"}
    ours = [one for one in imports("transform") if one.top == "lake"]
    foreign = [
        one
        for one in imports("transform")
        if one.top not in {"transform", "lake", "pyspark", *sys.stdlib_module_names}
    ]

    assert (
        told(
            [
                one
                for one in ours
                if not one.wanted.startswith("lake.schemas") and one.wanted not in lake
            ]
        )
        == []
    )
    assert told(foreign) == []


def test_transform_reads_no_clock_no_file_and_no_environment() -> None:
    outside = {"time", "os", "pathlib", "random", "socket", "subprocess", "tempfile", "uuid"}

    assert told([one for one in imports("transform") if one.top in outside]) == []


def reachable(room: str) -> dict[str, list[str]]:
    """Return every module of ours that the room's modules load, with the way to it."""
    known = modules(*MAY_IMPORT)
    ways = {name: [name] for name in modules(room)}
    queue = list(ways)
    while queue:
        module = queue.pop()
        for one in imports_of(module, known[module]):
            parts = one.wanted.split(".")
            for depth in range(1, len(parts) + 1):
                name = ".".join(parts[:depth])
                if name in known and name not in ways:
                    ways[name] = [*ways[module], name]
                    queue.append(name)
    return ways


@pytest.mark.parametrize("room", ["extract", "deploy"])
def test_extract_and_functions_never_reach_spark_not_even_through_others(room: str) -> None:
    known = modules(*MAY_IMPORT)
    ways = reachable(room)

    assert [" -> ".join(way) for name, way in ways.items() if name in SPARK_SIDE] == []
    heavy = [
        f"{' -> '.join(way)} -> {one.wanted}"
        for name, way in ways.items()
        for one in imports_of(name, known[name])
        if one.top in SPARK
    ]
    assert heavy == []


def test_great_expectations_stays_in_its_room() -> None:
    others = [room for room in MAY_IMPORT if room != "expectations"]

    assert told([one for one in imports(*others) if one.top == "great_expectations"]) == []


#: An attribute that writes a table, and the modules that may use it.
WRITERS = {
    "write": {"lake.storage"},
    "writeTo": {"lake.storage"},
    "writeStream": {"lake.storage", "jobs.streams"},
    # exports open tables by deltalake, without Spark, and only read
    "DeltaTable": {"lake.storage", "serve.files.delta"},
    "saveAsTable": set(),
    "insertInto": set(),
}


def test_only_storage_writes_tables() -> None:
    found = [
        f"{name}:{line} uses {attribute}"
        for name, path in modules(*MAY_IMPORT).items()
        for attribute, line in writes(tree(path))
        if name not in WRITERS[attribute]
    ]

    assert found == []


def writes(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield what writes tables. `file.write(...)` is a call; a frame's `write` is not."""
    called = {id(node.func) for node in ast.walk(module) if isinstance(node, ast.Call)}
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute) and node.attr in WRITERS:
            if node.attr != "write" or id(node) not in called:
                yield node.attr, node.lineno
        elif isinstance(node, ast.Name) and node.id == "DeltaTable":
            yield node.id, node.lineno


SQL_WRITE = re.compile(
    r"\s*(insert\s+(into|overwrite)|merge\s+into|delete\s+from|update\s+\S+\s+set)\s", re.IGNORECASE
)


def test_no_sql_text_writes_a_table() -> None:
    # what `serve` writes by SQL is its own database: it has no session of Spark
    found = [
        f"{name}:{node.lineno}"
        for name, path in modules(*(room for room in SHIPPED if room != "serve")).items()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and SQL_WRITE.match(node.value)
    ]

    assert found == []


def test_spark_submit_puts_no_name_of_ours_before_another() -> None:
    """spark-submit puts jobs/ first on the path: a module there hides any other of its name."""
    stems = {path.stem for path in (ROOT / "jobs").glob("*.py")} - {"__init__"}
    stems |= {path.name for path in (ROOT / "jobs").iterdir() if path.is_dir()} - {"__pycache__"}
    # what --coverage brings is on the path of tests alone, never on that of a job's machine
    installed = set(importlib.metadata.packages_distributions()) - {"coverage"}

    assert sorted(stems & set(sys.stdlib_module_names)) == []
    assert sorted(stems & installed) == []
    assert sorted(stems & {*MAY_IMPORT, "tests"}) == []


def test_no_installed_package_takes_a_name_of_ours() -> None:
    taken = {
        name: distributions
        for name, distributions in importlib.metadata.packages_distributions().items()
        if name in SHIPPED and set(distributions) != {"candlelake"}
    }

    assert taken == {}
    assert not set(SHIPPED) & set(sys.stdlib_module_names)
