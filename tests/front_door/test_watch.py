"""`candlelake watch` as its users run it: once, and in a terminal until ^C."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import time
from pathlib import Path

from tests.front_door.commands import ROOT, candlelake, command, environment
from tests.front_door.test_live import QUICKLY, TRADES

PATIENCE_SECONDS = 30.0


def test_one_frame_is_printed_with_the_candle_of_what_has_landed(tmp_path: Path) -> None:
    lake = ("--set", f"lake.root={tmp_path}")
    assert candlelake(*TRADES, *QUICKLY, *lake, "--lifetime", "8s").returncode == 0

    done = candlelake("watch", "--once", *lake)
    other = candlelake("watch", "--once", "--instruments", "ETH*", *lake)

    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^binance spot BTCUSDT +local +ended", done.stdout, re.MULTILINE)
    assert re.search(r"^BTCUSDT +23:0\d +8\d{4}\.\d\d ", done.stdout, re.MULTILINE)
    assert "no trades in bronze yet" in other.stdout
    assert "BTCUSDT" not in other.stdout


def test_an_interrupt_ends_it_cleanly(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command("watch", "--set", f"lake.root={tmp_path}"),
        cwd=ROOT,
        env={**environment(), "TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        seen = read_until(ours, b"no collector runs")
        process.send_signal(signal.SIGINT)
        # the screen of before comes back
        seen += read_until(ours, b"\x1b[?1049l")
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)

    assert b"Traceback" not in seen


def read_until(terminal: int, wanted: bytes) -> bytes:
    seen, began = b"", time.monotonic()
    while wanted not in seen:
        assert time.monotonic() - began < PATIENCE_SECONDS, seen
        seen += os.read(terminal, 4096)
    return seen
