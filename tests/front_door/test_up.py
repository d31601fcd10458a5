"""`candlelake up`: from a price at the exchange to an answer of the API, all processes real."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

from extract.replay.exchange import ReplayExchange
from extract.replay.faults import Fault
from jobs.replay_rules import rules_of
from lake.settings import load_settings
from tests.ports import free_port

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parents[2]
TICKERS = ("btc_usd", "eth_usd")
#: The API answers so fast while the exchange does not answer at all (seconds).
FAST = 0.05


@pytest.fixture
def exchange() -> Iterator[ReplayExchange]:
    with ReplayExchange(rules_of(load_settings("replay", environ={}), "running")) as running:
        yield running


@contextmanager
def up(
    command: Sequence[str], exchange: ReplayExchange, lake: Path, log: Path
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start everything on this lake; give the process and the address of its API."""
    port = free_port()
    sets = [f"lake.root={lake}", *(f"{k}={v}" for k, v in exchange.urls.settings().items())]
    words = [*command, "--port", str(port), *(word for one in sets for word in ("--set", one))]
    with log.open("wb") as told:
        process = subprocess.Popen(
            words,
            cwd=ROOT,
            env={**os.environ, "CANDLELAKE_REQUIREMENTS": "dev", "PYTHONPATH": str(ROOT)},
            stdout=told,
            stderr=told,
        )
        try:
            yield process, f"http://127.0.0.1:{port}/api/v1"
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(180)


def asked(url: str) -> dict[str, Any] | None:
    """Return an answer of the API; None where it is not there yet."""
    try:
        with urlopen(url, timeout=10) as answer:
            return dict(json.load(answer))
    except HTTPError as error:
        if error.code not in (404, 503):
            raise
    except (URLError, ConnectionError):
        pass
    return None


def price_of(url: str, process: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    deadline = time.monotonic() + 400
    while True:
        answer = asked(url)
        if answer is not None:
            return answer
        assert process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.5)


def sent(lake: Path) -> set[str]:
    """Return the prices that the exchange has answered, as bronze keeps them."""
    found = set()
    for path in (lake / "bronze" / "index_prices").rglob("*.ndjson.gz"):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            body = json.loads(json.loads(line)["body"], parse_float=str, parse_int=str)
            found.add(body["result"]["index_price"])
    return found


def left_on(lake: Path) -> list[str]:
    """Return the command lines of the processes that still work on this lake."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(lake) in line:
            lines.append(line)
    return lines


@pytest.mark.parametrize("servers", ["embedded", "real"])
def test_each_minutes_price_comes_to_the_api(
    servers: str, exchange: ReplayExchange, tmp_path: Path
) -> None:
    lake, log = tmp_path / "lake", tmp_path / "log"
    command = [sys.executable, "-m", "jobs", "up"]
    if servers == "real":
        command = [str(ROOT / "deploy" / "minute-service.sh"), str(tmp_path / "servers")]
    with up(command, exchange, lake, log) as (process, api):
        answers = {
            ticker: price_of(f"{api}/deribit/latest?ticker={ticker}", process, log)
            for ticker in TICKERS
        }
        prices = {ticker: answer["price"]["price"] for ticker, answer in answers.items()}

        assert set(prices.values()) <= sent(lake)
        assert len(set(prices.values())) == 2
        # the exchange falls silent, the API does not
        exchange.order(Fault("stall", segment="deribit", times=1000, seconds=20))
        took = []
        for _ in range(200):
            began = time.perf_counter()
            assert asked(f"{api}/deribit/latest?ticker=btc_usd") is not None
            took.append(time.perf_counter() - began)
        assert quantiles(took, n=20)[-1] < FAST, took

        process.send_signal(signal.SIGINT)
        assert process.wait(180) == 130, log.read_text()[-3000:]
    assert left_on(tmp_path) == []
    assert "Traceback" not in log.read_text()
