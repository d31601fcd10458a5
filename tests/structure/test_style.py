"""The house style that a machine can hold: sizes, names, docstrings, no floats, quiet modules."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("lake", "extract", "transform", "expectations", "jobs", "serve", "deploy")
LONGEST_FUNCTION = 40
LONGEST_MODULE = 400
#: Where people read standard output, or progress.
MAY_PRINT = ("jobs", "deploy", "bench")
FLOAT_TYPES = {"FloatType", "DoubleType", "float32", "float64"}
FLOAT_SQL = {"float", "double", "real"}

Sources = dict[str, ast.Module]


@pytest.fixture(scope="module")
def sources() -> Sources:
    """Return every module of ours, parsed, under its path."""
    found = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            found[path.relative_to(ROOT).as_posix()] = ast.parse(text, str(path))
    assert len(found) > 20
    return found


def test_every_module_says_its_place_in_the_flow(sources: Sources) -> None:
    silent = [name for name, module in sources.items() if not ast.get_docstring(module)]

    assert silent == []


def test_no_module_is_a_drawer_for_everything(sources: Sources) -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "base", "misc", "shared", "core"}

    assert [name for name in sources if drawers & set(Path(name).with_suffix("").parts)] == []


def test_functions_are_short(sources: Sources) -> None:
    long = {
        f"{name}:{node.lineno} {node.name}": length(node)
        for name, module in sources.items()
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and length(node) > LONGEST_FUNCTION
    }

    assert long == {}


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count a function's lines without its docstring."""
    documented = ast.get_docstring(function) is not None
    first = function.body[0]
    docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def test_modules_are_short() -> None:
    lines = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
    }

    assert {name: count for name, count in lines.items() if count > LONGEST_MODULE} == {}


def test_only_programs_print(sources: Sources) -> None:
    loud = [
        f"{name}:{node.lineno}"
        for name, module in sources.items()
        if not name.startswith(MAY_PRINT) and not name.endswith("__main__.py")
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]

    assert loud == []


#: The one edge at which decimals become floats: files of a program that knows nothing else.
FLOAT_EDGE = "serve/files/exact.py"


def test_no_number_ever_becomes_a_float(sources: Sources) -> None:
    floats = [
        f"{name}:{node.lineno}"
        for name, module in sources.items()
        if not name.startswith("deploy") and name != FLOAT_EDGE
        for node in ast.walk(module)
        if isinstance(node, ast.expr) and makes_float(node)
    ]

    assert floats == []


def makes_float(node: ast.expr) -> bool:
    """Tell whether the code converts to a float, names a float type, or casts to one."""
    if isinstance(node, ast.Attribute):
        return node.attr in FLOAT_TYPES
    if isinstance(node, ast.Name):
        return node.id in FLOAT_TYPES
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name):
        return node.func.id == "float"
    casts = isinstance(node.func, ast.Attribute) and node.func.attr in (
        "cast",
        "try_cast",
        "astype",
    )
    return casts and any(
        isinstance(argument, ast.Constant) and argument.value in FLOAT_SQL for argument in node.args
    )


def test_a_float_stands_only_for_seconds_and_shares(sources: Sources) -> None:
    """A `float` in a signature or a field is a time to wait or a share, and says so."""
    odd = [
        f"{name}:{line} {named}"
        for name, module in sources.items()
        if not name.startswith("deploy")
        for node in ast.walk(module)
        for named, line in floats_of(node)
        if not any(word in named.lower() for word in ("second", "share", "_until", "now"))
    ]

    assert odd == []


def floats_of(node: ast.AST) -> list[tuple[str, int]]:
    """Return the parameters and fields that are annotated as float; protocols may return one."""
    if isinstance(node, ast.AnnAssign) and mentions_float(node.annotation):
        return [(ast.unparse(node.target), node.lineno)]
    if (
        isinstance(node, ast.arg)
        and node.annotation is not None
        and mentions_float(node.annotation)
    ):
        return [(node.arg, node.lineno)]
    return []


def mentions_float(annotation: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) and node.id == "float" for node in ast.walk(annotation))


def test_json_from_an_exchange_is_read_without_floats(sources: Sources) -> None:
    read = [
        f"{name}:{node.lineno}"
        for name, module in sources.items()
        if name.startswith(("extract/", "transform/"))
        # the replay exchange's own control requests carry no price
        and name not in ("extract/replay/server.py", "extract/replay/binance_spot.py")
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("json.loads", "json.load")
        and not {"parse_float"} <= {keyword.arg for keyword in node.keywords}
    ]

    assert read == []


def test_test_modules_do_not_hide_each_other() -> None:
    """Rooms without __init__.py share one namespace; tests/lake with one would hide lake."""
    tests = ROOT / "tests"
    rooms = {path.parent for path in tests.rglob("*.py")}
    packages = {room.name for room in rooms if (room / "__init__.py").exists()}
    flat = [
        path.name
        for room in rooms
        if not (room / "__init__.py").exists()
        for path in room.glob("*.py")
        if path.name != "conftest.py"
    ]

    assert sorted(packages & set(ROOMS)) == []
    assert [name for name, count in Counter(flat).items() if count > 1] == []
