"""The tables of docs/equality.md say what the code does."""

from __future__ import annotations

import inspect
import re

import pytest

from tests.docs.documents import ROOT
from transform import bars
from transform.reconciliation import candles as reconcile
from transform.reconciliation.causes import OPEN

TEXT = (ROOT / "docs" / "equality.md").read_text(encoding="utf-8")
#: The columns of the table of fields, and the kinds that each speaks of.
KINDS = {
    "Binance spot": [("binance", "spot")],
    "Binance USD-M": [("binance", "usdm")],
    "Binance COIN-M": [("binance", "coinm")],
    "Deribit future, option, spot": [
        ("deribit", "future"),
        ("deribit", "option"),
        ("deribit", "spot"),
    ],
}


def table(first_header: str) -> list[dict[str, str]]:
    """Return the rows of the table whose first column has this header."""
    lines = TEXT.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {first_header} |"))
    header, _, *rest = lines[start:]
    body = rest[: next(i for i, line in enumerate([*rest, ""]) if not line.startswith("|"))]
    return [dict(zip(cells(header), cells(line), strict=True)) for line in body]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def written(rule: reconcile.Rule) -> str:
    if rule.how == "not_derivable":
        return "not derivable"
    return f"`{rule.ours}`, {rule.how}" + (f" {rule.scale}" if rule.scale else "")


@pytest.mark.parametrize("column", KINDS)
def test_the_table_of_fields_is_the_rules(column: str) -> None:
    said = {
        row["in `silver.klines`"].strip("`"): row[column] for row in table("the exchange's field")
    }

    for kind in KINDS[column]:
        assert said == {rule.theirs: written(rule) for rule in reconcile.RULES[kind]}


def test_every_kind_with_rules_has_its_column() -> None:
    assert {kind for kinds in KINDS.values() for kind in kinds} == set(reconcile.RULES)


def test_the_table_of_prints_is_the_rules() -> None:
    said = {
        kind: (row["sets open, high, low, close"], row["counts in volume and number"])
        for row in table("print_kind")
        for kind in re.findall(r"`(\w+)`", row["print_kind"])
    }

    words = {True: "yes", False: "no"}
    assert said == {
        kind: (words[rule.sets_price], words[rule.counts])
        for kind, rule in bars.PRINT_RULES.items()
    }


def test_every_cause_is_in_the_table_of_causes() -> None:
    said = {cause for row in table("cause") for cause in re.findall(r"`(\w+)`", row["cause"])}
    given = set(re.findall(r'F\.lit\("(\w+)"\)', inspect.getsource(reconcile)))

    verdicts = {"equal", "equal_after_rounding", "not_derivable", "different"}
    assert said == given - verdicts - {"bar", "present"}
    unexplained = {
        cause
        for row in table("cause")
        for cause in re.findall(r"`(\w+)`", row["cause"])
        if row["explained"] == "**no**"
    }
    assert unexplained == said & set(OPEN)
