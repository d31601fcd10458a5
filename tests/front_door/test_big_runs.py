"""A big run with a real exchange asks first; here the real one is a replay exchange by address."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from extract.replay.exchange import ReplayExchange
from tests.front_door.commands import (
    ROOT,
    candlelake,
    command,
    environment,
    landed,
    pointed_at,
    the_error,
)

WINDOW = ("--start", "2024-01-01T00:00:00Z", "--end", "2024-01-01T00:30:00Z")
WHAT = ("--exchange", "binance", "--kind", "spot", "--datasets", "agg_trades", *WINDOW)
#: The first terminal that a new session opens is its own: there ^C is a signal.
ON_TERMINAL = 'exec <"$0" 2>"$0" "$@"'
ALWAYS_BIG = ("--set", "extract.ask_above_bytes=1")


@pytest.fixture(scope="module")
def exchange() -> Iterator[ReplayExchange]:
    with ReplayExchange() as running:
        yield running


def options(lake: Path, exchange: ReplayExchange, *more: str, env: str = "local") -> list[str]:
    where = ["--env", env, "--set", f"lake.root={lake}", *pointed_at(exchange)]
    return ["extract", *where, *WHAT, *more]


def datasets(lake: Path) -> set[str]:
    return {key.split("/")[1] for key in landed(lake)}


def test_away_from_a_terminal_a_big_run_wants_yes_and_says_its_numbers(
    exchange: ReplayExchange, tmp_path: Path
) -> None:
    line = the_error(candlelake(*options(tmp_path, exchange, *ALWAYS_BIG)))

    assert "this run asks 2" in line
    assert "MB and 2 s at the exchanges' limits; above 1 B or 10 min it wants a yes" in line
    assert "--yes" in line
    assert datasets(tmp_path) == set()


def test_the_time_at_the_limits_is_a_reason_too(exchange: ReplayExchange, tmp_path: Path) -> None:
    impatient = ("--set", "extract.ask_above_seconds=1")

    line = the_error(candlelake(*options(tmp_path, exchange, *impatient)))

    assert "2 s at the exchanges' limits; above 1.0 GB or 1 s it wants a yes" in line


def test_with_yes_a_big_run_runs(exchange: ReplayExchange, tmp_path: Path) -> None:
    done = candlelake(*options(tmp_path, exchange, *ALWAYS_BIG, "--yes"))

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("files=")
    assert datasets(tmp_path) == {"instruments", "agg_trades"}


def test_a_small_run_does_not_ask(exchange: ReplayExchange, tmp_path: Path) -> None:
    done = candlelake(*options(tmp_path, exchange))

    assert done.returncode == 0, done.stderr
    assert "INFO jobs.extraction.run bronze files=2 " in done.stderr
    assert "landed file" not in done.stderr


def test_the_replay_environment_never_asks(exchange: ReplayExchange, tmp_path: Path) -> None:
    done = candlelake(*options(tmp_path, exchange, *ALWAYS_BIG, env="replay"))

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("answer", "code", "held"),
    [
        ("y\n", 0, {"instruments", "agg_trades"}),
        ("n\n", 2, set()),
        ("\3", 130, set()),
    ],
    ids=["yes", "no", "interrupted"],
)
def test_on_a_terminal_it_asks(
    exchange: ReplayExchange, tmp_path: Path, answer: str, code: int, held: set[str]
) -> None:
    ours, theirs = pty.openpty()
    wanted = command(*options(tmp_path, exchange, *ALWAYS_BIG))
    with subprocess.Popen(
        ["sh", "-c", ON_TERMINAL, os.ttyname(theirs), *wanted],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        shown = _shown_until(ours, "Start it? [y/N]")
        os.write(ours, answer.encode())
        os.close(theirs)
        rest = _shown_until(ours, None)
        stdout = process.stdout.read() if process.stdout else b""
    os.close(ours)

    assert "requests" in shown
    assert process.returncode == code, shown + rest
    assert datasets(tmp_path) == held
    assert ("extracting" in rest and "tasks=1/1" in rest) == (code == 0)
    assert b"Start it?" not in stdout


def _shown_until(terminal: int, words: str | None) -> str:
    """Read a terminal until it shows some words, or until its other side is closed."""
    shown = ""
    while words is None or words not in shown:
        try:
            block = os.read(terminal, 4096)
        except OSError:  # how Linux says that nobody is left on the other side
            break
        if not block:
            break
        shown += block.decode()
    return shown
