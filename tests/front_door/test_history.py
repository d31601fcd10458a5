"""`candlelake extract history` as its users run it: a process, its words, its exit code."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from extract.held import Held
from extract.replay.exchange import ReplayExchange
from jobs.extraction.command import window_of
from lake.errors import UsageError
from lake.objects import FolderStore
from tests.extract.asking import covered_ids
from tests.front_door.commands import (
    ROOT,
    candlelake,
    command,
    environment,
    landed,
    pointed_at,
    the_error,
)

ETHUSDT = ("--exchange", "binance", "--kind", "spot", "--instruments", "ETHUSDT")
ETHUSDT_IDS = list(range(1_692_296_325, 1_692_306_326))


@pytest.fixture(scope="module")
def exchange() -> Iterator[ReplayExchange]:
    with ReplayExchange() as running:
        yield running


def options(lake: Path, exchange: ReplayExchange, *more: str) -> list[str]:
    where = ["--set", f"lake.root={lake}", *pointed_at(exchange)]
    return ["extract", "history", *ETHUSDT, *where, *more]


def held(lake: Path) -> list[int]:
    return covered_ids(FolderStore(lake), "bronze/agg_trades/")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("sideways", None, None, None), "--mode is one of reverse, start, date"),
        (("start", "2025-09-01", None, None), "--first-date belongs to --mode reverse"),
        (("reverse", None, "2025-09-01", None), "--start belongs to --mode date"),
        (("date", None, None, None), "--mode date wants a --start"),
        (("date", None, "1756684900000", "1756684800000"), "is not after"),
        (("reverse", "yesterday", None, None), "can't be read: 'yesterday'"),
    ],
)
def test_a_mode_takes_its_own_options_only(
    options: tuple[str, str | None, str | None, str | None], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        window_of(*options)


def test_what_is_no_trades_is_refused_in_one_line(exchange: ReplayExchange, tmp_path: Path) -> None:
    done = candlelake(*options(tmp_path, exchange, "--datasets", "klines"))

    assert "by id, not 'klines'" in the_error(done)


def test_first_date_bounds_the_way_back_and_a_second_run_adds_nothing(
    exchange: ReplayExchange, tmp_path: Path
) -> None:
    words = options(tmp_path, exchange, "--mode", "reverse", "--first-date", "2025-09-01")

    first, second = candlelake(*words), candlelake(*words)

    assert first.returncode == 0, first.stderr
    assert first.stdout == "files=4 rows=10004\n"
    assert second.stdout == "files=0 rows=0\n"
    assert held(tmp_path) == ETHUSDT_IDS


def test_short_options_and_milliseconds_name_a_window_too(
    exchange: ReplayExchange, tmp_path: Path
) -> None:
    where = ["--set", f"lake.root={tmp_path}", *pointed_at(exchange)]
    words = ["plan", *ETHUSDT, "--datasets", "agg_trades", *where]

    named = candlelake(*words, "--start", "2025-09-01T00:01:00Z", "--end", "2025-09-01T00:02:00Z")
    short = candlelake(*words, "-s", "1756684860000", "-e", "1756684920000")

    assert 0 < figures(short.stdout)[1] < len(ETHUSDT_IDS), short.stderr
    assert short.stdout == named.stdout


def test_the_plan_of_a_history_holds_within_a_fifth(
    exchange: ReplayExchange, tmp_path: Path
) -> None:
    words = options(tmp_path, exchange, "--mode", "start")

    planned = candlelake("plan", "--mode", "start", *words[2:])
    before = landed(tmp_path)
    done = candlelake(*words)

    assert planned.returncode == 0, planned.stderr
    assert before == []
    requests, rows, files = figures(planned.stdout)
    (asked,) = re.findall(r" requests=(\d+) ", done.stderr)
    assert abs(int(asked) - requests) <= requests / 5
    assert rows == len(ETHUSDT_IDS)
    assert files == sum("agg_trades" in key for key in landed(tmp_path))


def figures(printed: str) -> tuple[int, int, int]:
    """Return the requests, rows and files of a plan's only line."""
    (line,) = [line for line in printed.splitlines() if line.startswith("binance spot ETHUSDT")]
    _, _, _, _, requests, _weight, _bytes, _unit, rows, files, *_time = line.split()
    return int(requests), int(rows.replace(",", "")), int(files)


def test_an_extraction_without_a_start_takes_everything_and_then_what_is_new(
    exchange: ReplayExchange, tmp_path: Path
) -> None:
    words = ["extract", *ETHUSDT, "--set", f"lake.root={tmp_path}", *pointed_at(exchange)]
    words += ["--set", "window.start=", "--set", "window.end=", "--datasets", "agg_trades"]

    first, second = candlelake(*words), candlelake(*words)

    assert first.returncode == 0, first.stderr
    assert held(tmp_path) == ETHUSDT_IDS
    assert second.stdout == "files=0 rows=0\n"


def test_an_interrupt_ends_within_seconds_says_how_to_go_on_and_loses_nothing(
    tmp_path: Path,
) -> None:
    with ReplayExchange() as exchange:  # of its own: what others have used of the minute counts
        _interrupted_and_run_again(exchange, tmp_path)


def _interrupted_and_run_again(exchange: ReplayExchange, tmp_path: Path) -> None:
    # the weight of a few pages a minute: the workers wait for the minute to turn
    slow = ("--set", "exchanges.binance.spot.weight_limit_per_minute=56")
    small = ("--set", "extract.chunk_limit=1000")
    words = options(tmp_path, exchange, *small)
    running = subprocess.Popen(
        command(*words, *slow),
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not any("agg_trades" in key for key in landed(tmp_path)):
        assert time.monotonic() < deadline, "nothing has landed"
        time.sleep(0.1)
    time.sleep(1)

    os.kill(running.pid, signal.SIGINT)
    asked = time.monotonic()
    _, stderr = running.communicate(timeout=30)

    assert time.monotonic() - asked < 5
    assert running.returncode == 130
    assert "interrupted; run again: it goes on" in stderr
    assert "Traceback" not in stderr
    before = held(tmp_path)
    assert 0 < len(before) < len(ETHUSDT_IDS)

    done = candlelake(*words)

    assert done.returncode == 0, done.stderr
    assert held(tmp_path) == ETHUSDT_IDS


def test_answers_of_many_instruments_share_files_and_a_second_run_asks_for_nothing_held(
    exchange: ReplayExchange, tmp_path: Path
) -> None:
    where = ["--set", f"lake.root={tmp_path}", *pointed_at(exchange)]
    options = ["--exchange", "deribit", "--kind", "option", "--instruments", "*"]
    words = ["extract", *options, "--datasets", "trades", *where, "--set", "extract.pack_above=1"]

    first, second = candlelake(*words), candlelake(*words)

    assert first.returncode == 0, first.stderr
    assert second.stdout == "files=0 rows=0\n"
    trades = [key for key in landed(tmp_path) if "/trades/" in key]
    assert {key.rpartition("/")[2].split("~")[0] for key in trades} == {"%5Fall"}
    assert [key.endswith(".coverage.json") for key in trades] == [True, False]
    store = FolderStore(tmp_path)
    held = Held(store, "trades", "deribit", "option")
    for name in ("BTC-9AUG24-60000-C", "XRP_USDC-9AUG24-0d625-C"):
        assert len(held.runs(name, "history")) == 1
