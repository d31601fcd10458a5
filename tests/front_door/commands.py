"""Runs `candlelake` as its users do: a process of its own, its words and its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from extract.replay.exchange import ReplayExchange

ROOT = Path(__file__).parents[2]
MAIN = "import sys; from jobs.cli import main; sys.exit(main())"


def command(*words: str) -> list[str]:
    """Return the command line of `candlelake words…`."""
    return [sys.executable, "-c", MAIN, *words]


def environment() -> dict[str, str]:
    """Return the process's environment without settings of whoever runs the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CANDLELAKE_")}


def candlelake(*words: str, patience_seconds: float = 120) -> subprocess.CompletedProcess[str]:
    """Run `candlelake words…` away from any terminal."""
    return subprocess.run(
        command(*words),
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=patience_seconds,
    )


def pointed_at(exchange: ReplayExchange) -> list[str]:
    """Return the options that point every address at a running replay exchange."""
    urls = exchange.urls.settings().items()
    return [word for name, url in urls for word in ("--set", f"{name}={url}")]


def the_error(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line that says why a command ended with exit code 2."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("candlelake: ")]
    return line


def landed(lake: Path) -> list[str]:
    """Return the bronze files of a lake, relative to it."""
    files = (path for path in (lake / "bronze").rglob("*") if path.is_file())
    return sorted(path.relative_to(lake).as_posix() for path in files)
