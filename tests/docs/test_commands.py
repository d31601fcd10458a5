"""What the documents print as commands is known: it is run by a test, or listed with a reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.documents import (
    DOCUMENTS,
    NOT_RUN,
    ROOT,
    commands,
    outside_of_consoles,
    shows,
)

PROGRAMS = r"(?:\./spark-submit\.sh|\./run-tests\.sh|candlelake)"
LINKS = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


def test_the_readme_begins_with_the_two_commands_and_then_the_real_exchange() -> None:
    texts = [command.text for command in commands(ROOT / "README.md")]

    assert texts[:2] == ["./spark-submit.sh pipeline", "./run-tests.sh"]
    assert "--env local" in texts[2]


def test_what_is_not_run_is_still_printed_somewhere() -> None:
    printed = {command.text for path in DOCUMENTS for command in commands(path)}

    assert set(NOT_RUN) - printed == set()


@pytest.mark.parametrize(("text", "reason"), NOT_RUN.items())
def test_a_command_is_left_out_for_what_stands_in_it(text: str, reason: str) -> None:
    assert reason in text


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_a_command_stands_in_a_console_block_where_it_is_tested(path: Path) -> None:
    """A line that begins with a program of ours and goes on with an argument is a command."""
    command = re.compile(rf"^\s*(?:\$ )?{PROGRAMS}(?: \S.*)?$", re.MULTILINE)

    assert command.findall(outside_of_consoles(path)) == []


@pytest.mark.parametrize(
    "path", [*DOCUMENTS, *sorted((ROOT / "docs" / "adr").glob("*.md"))], ids=lambda path: path.stem
)
def test_a_link_leads_to_a_file(path: Path) -> None:
    targets = [target for target in LINKS.findall(path.read_text()) if "://" not in target]

    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\nb\n", "a\nb\nc\n", False),
        ("a\n", "b\n", False),
        ("", "", True),
        ("", "something\n", False),
        ("a\n…\n", "a\nb\nc\n", True),
        ("…\nc\n", "a\nb\nc\n", True),
        ("…/x.html\n", "somewhere/x.html\n", True),
        ("…/x.html\n", "a warning\nsomewhere/x.html\n", False),
        ("1.5\n", "1x5\n", False),
    ],
)
def test_what_is_shown_is_compared_but_for_what_is_elided(
    shown: str,
    printed: str,
    same: bool,  # noqa: FBT001 - a parameter of the table above
) -> None:
    assert shows(shown, printed) is same
