"""What docs/operations.md tells a tired person to type is there."""

from __future__ import annotations

import re
from typing import Any

import typer

from jobs.cli import app
from tests.docs.documents import ROOT

TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
ALERTS = "".join(
    (ROOT / "deploy" / "prometheus" / name).read_text(encoding="utf-8")
    for name in ("alerts.yml", "serving-alerts.yml", "level-alerts.yml")
)


def test_every_command_and_option_of_the_page_exists() -> None:
    printed = re.findall(r"`candlelake ([a-z][^`]*)`", TEXT)

    assert len(printed) > 5
    assert [words for words in printed if not is_known(words.split())] == []


def is_known(words: list[str]) -> bool:
    """Tell whether words lead to a command, and whether it takes the options among them."""
    found: Any = typer.main.get_command(app)
    options = {word for word in words if word.startswith("--")}
    for word in words:
        if not hasattr(found, "commands") or word.startswith("--"):
            break
        if word not in found.commands:
            return False
        found = found.commands[word]
    return options <= {name for one in found.params for name in one.opts}


def test_every_alert_of_the_example_has_its_line() -> None:
    names = set(re.findall(r"- alert: (\w+)", ALERTS))

    assert names - set(re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b", TEXT)) == set()
