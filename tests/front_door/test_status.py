"""`candlelake status` and /metrics beside a collector, as people and schedulers run them."""

from __future__ import annotations

import json
import re
import signal
import socket
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.docs.documents import ROOT
from tests.front_door.commands import candlelake, the_error
from tests.front_door.test_live import QUICKLY, TRADES, running, wait_for
from tests.ports import free_port

ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
OFTEN = ("--set", "live.status_seconds=0.3")


def told(lake: Path) -> tuple[int, dict[str, Any]]:
    done = candlelake("status", "--json", "--set", f"lake.root={lake}")
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def scraped(port: int) -> str:
    """Return what /metrics says, nothing where nobody answers yet."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            text: bytes = answer.read()
            return text.decode()
    except (URLError, ConnectionError):
        return ""


def test_a_collector_is_seen_while_it_runs_and_after_its_end(tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client", reason="the live group is not installed")
    lake, port = ("--set", f"lake.root={tmp_path}"), free_port()
    with running(*TRADES, *QUICKLY, *OFTEN, *lake, "--metrics-port", str(port)) as process:
        wait_for(lambda: re.search(r"live_files_total [1-9]", scraped(port)))
        metrics = scraped(port)
        code, during = told(tmp_path)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)

    assert process.returncode == 0, err
    assert (code, during["fresh"], during["findings"]) == (0, True, [])
    (stream,) = during["streams"]
    assert (stream["state"], stream["instrument"]) == ("running", "BTCUSDT")
    assert stream["trades"] > 0
    assert known_metrics() <= set(re.findall(r"^# TYPE (\S+)", metrics, re.MULTILINE))
    code, after = told(tmp_path)
    assert (code, after["findings"]) == (1, ["no collector runs"])
    (stream,) = after["streams"]
    assert stream["state"] == "ended"
    assert f"trades={stream['trades']:,} " in out


def test_one_that_was_killed_is_told_as_gone_until_the_next_takes_over(tmp_path: Path) -> None:
    lake = ("--set", f"lake.root={tmp_path}")
    with running(*TRADES, *QUICKLY, *OFTEN, *lake) as process:
        wait_for(lambda: list(tmp_path.glob("status/live/*.json")))
        process.kill()
        process.communicate()
    (path,) = tmp_path.glob("status/live/*.json")
    state = json.loads(path.read_text())
    path.write_text(json.dumps({**state, "updated": "2026-01-01T00:00:00.000000Z"}))

    code, seen = told(tmp_path)
    assert code == 1
    assert "is gone: silent for" in seen["findings"][1]

    assert candlelake(*TRADES, *QUICKLY, *lake, "--lifetime", "1s").returncode == 0
    _, seen = told(tmp_path)
    assert seen["findings"] == ["no collector runs"]


def test_a_lake_where_nobody_collects_is_said_in_words(tmp_path: Path) -> None:
    done = candlelake("status", "--set", f"lake.root={tmp_path}")

    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "stale: no collector runs"


def test_a_port_that_is_taken_ends_the_collector_with_a_line(tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client", reason="the live group is not installed")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        options = ("--lifetime", "1s", "--set", f"lake.root={tmp_path}")
        done = candlelake(*TRADES, *options, "--metrics-port", port)

    assert "no metrics can be served" in the_error(done)


def known_metrics() -> set[str]:
    """Return the metrics that the example alerts ask for."""
    return set(re.findall(r"(?:candlelake|process)_[a-z_]+", ALERTS.read_text(encoding="utf-8")))
