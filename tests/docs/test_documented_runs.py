"""Every command of the documents is run as printed, and what they show is what comes out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.docs.documents import DOCUMENTS, NOT_RUN, ROOT, commands, shows

RUNNABLE = [
    path for path in DOCUMENTS if any(command.text not in NOT_RUN for command in commands(path))
]
#: Not linked into the scratch checkout: what runs leave behind.
LEFT_BEHIND = {"data", ".git", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis"}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose files are ours, so that what a command writes stays out of it."""
    folder = tmp_path / "candlelake"
    folder.mkdir()
    for entry in ROOT.iterdir():
        if entry.name not in LEFT_BEHIND:
            (folder / entry.name).symlink_to(entry)
    return folder


@pytest.fixture
def beside() -> Iterator[ExitStack]:
    """What runs in the background of a document, and ends with it."""
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("path", RUNNABLE, ids=lambda path: path.stem)
def test_the_commands_print_what_the_document_shows(
    path: Path, checkout: Path, tmp_path: Path, beside: ExitStack
) -> None:
    """In a new lake, as a reader has it: no other lake is copied, as streams know files by path."""
    lake = tmp_path / "lake"
    for command in commands(path):
        if command.text in NOT_RUN:
            continue
        if command.text.endswith(" &"):
            beside.enter_context(running(command.text.removesuffix(" &"), checkout, lake))
            continue

        done = run(command.text, checkout, lake)

        assert done.returncode == 0, f"{command.text}\n{done.stderr[-3000:]}"
        assert shows(command.shown, done.stdout), f"{command.text}\n{done.stdout[-3000:]}"


@contextmanager
def running(command: str, checkout: Path, lake: Path) -> Iterator[None]:
    """Run a command that a reader puts into the background, until the document ends."""
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command}"],
        cwd=checkout,
        env=environment_of(checkout, lake),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def run(command: str, checkout: Path, lake: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command],
        cwd=checkout,
        env=environment_of(checkout, lake),
        capture_output=True,
        text=True,
        check=False,
    )


def environment_of(checkout: Path, lake: Path) -> dict[str, str]:
    return {
        **os.environ,
        "CANDLELAKE_LAKE__ROOT": str(lake),
        "CANDLELAKE_REQUIREMENTS": "dev",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(checkout),
    }
