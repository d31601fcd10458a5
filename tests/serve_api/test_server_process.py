"""The API as a process: how it starts, ends, and bears slow clients and very many connections."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
import pytest

from lake.errors import ServeError
from serve.api.server import listening

ROOT = Path(__file__).parents[2]
#: What the API may grow by under an attack: a leak of a buffer a connection would be far more.
MOST_GROWTH_MB = 40


class Process(NamedTuple):
    """A running API, and what it has logged."""

    process: subprocess.Popen[str]
    url: str
    log: Path

    @property
    def address(self) -> tuple[str, int]:
        place = urlsplit(self.url)
        return str(place.hostname), int(place.port or 0)

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


@contextmanager
def started(port: int = 0, workers: int = 1) -> Iterator[Process]:
    command = [sys.executable, "-m", "tests.serve_api.served", str(port), str(workers)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (
        tempfile.NamedTemporaryFile("w+") as log,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=log
        ) as process,
    ):
        assert process.stdout is not None
        running = Process(process, process.stdout.readline().strip(), Path(log.name))
        try:
            yield running
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(20)


@pytest.fixture(scope="module")
def api() -> Iterator[Process]:
    with started() as running:
        httpx.get(f"{running.url}/api/v1/health", timeout=20)
        yield running


def megabytes(process: subprocess.Popen[str]) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) // 1024


def test_it_ends_cleanly_when_it_is_told_to() -> None:
    with started() as running:
        assert httpx.get(f"{running.url}/api/v1/health", timeout=20).status_code == 200

        assert running.end(signal.SIGTERM) == 0


def test_it_ends_though_somebody_follows() -> None:
    with started() as running:
        asked = "exchange=binance&kind=spot&instrument=BTCUSDT"
        url = f"{running.url}/api/v1/live/sse?{asked}"
        with httpx.stream("GET", url, timeout=20) as answer:
            # kept: a generator that is thrown away closes the stream
            lines = answer.iter_lines()
            next(lines)
            began = time.monotonic()
            code = running.end(signal.SIGTERM)

        assert (code, time.monotonic() - began < 3) == (0, True)
        assert "Traceback" not in running.log.read_text()


def test_two_processes_answer_at_one_address_and_count_together() -> None:
    with started(workers=2) as running:
        statuses = {
            httpx.get(f"{running.url}/api/v1/instruments", timeout=30).status_code
            for _ in range(20)
        }
        text = httpx.get(f"{running.url}/metrics", timeout=20).text
        code = running.end(signal.SIGTERM)

    assert statuses == {200}
    assert 'requests_total{route="/api/v1/instruments",status="200"} 20.0' in text
    assert code == 0


def test_an_address_in_use_is_one_clear_line() -> None:
    with listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(ServeError, match=f"in use \\[127.0.0.1:{port}\\]"):
            listening("127.0.0.1", port)


def test_an_address_that_is_not_ours_is_one_clear_line() -> None:
    with pytest.raises(ServeError, match="can't listen"):
        listening("192.0.2.1", 0)


@pytest.mark.slow
def test_a_thousand_idle_connections_stop_nobody_and_are_let_go(api: Process) -> None:
    before = megabytes(api.process)
    with ExitStack() as stack:
        idle = [
            stack.enter_context(socket.create_connection(api.address, timeout=20))
            for _ in range(1000)
        ]
        for connection in idle[:500]:
            connection.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        seconds = []
        for _ in range(20):
            began = time.monotonic()
            answer = httpx.get(f"{api.url}/api/v1/deribit/latest?ticker=btc_usd", timeout=20)
            seconds.append(time.monotonic() - began)
            assert answer.status_code == 200
        grown = megabytes(api.process) - before
        idle[-1].settimeout(20)
        closed = {idle[0].recv(100), idle[-1].recv(100)}

    assert sorted(seconds)[10] < 0.5
    assert grown < MOST_GROWTH_MB
    assert closed == {b""}


@pytest.mark.slow
def test_clients_that_ask_much_and_take_nothing_cost_little(api: Process) -> None:
    """Each asks for a stream of everything, again and again, and reads none of it."""
    before = megabytes(api.process)
    path = "/api/v1/deribit/?ticker=btc_usd&stream=true"
    request = f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode() * 20
    with ExitStack() as stack:
        for _ in range(150):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(api.address)
            connection.sendall(request)
        time.sleep(2)
        grown = megabytes(api.process) - before
        answer = httpx.get(f"{api.url}/api/v1/health", timeout=60)

    assert grown < 2 * MOST_GROWTH_MB
    assert answer.status_code == 200


@pytest.mark.slow
def test_pages_that_nobody_takes_are_thrown_away(api: Process) -> None:
    path = "/api/v1/ohlcv?exchange=binance&kind=spot&instrument=BTCUSDT&limit=10000&columns="
    columns = "time,open,high,low,close,volume,base_volume,quote_volume,bar_end"
    before = megabytes(api.process)
    with ExitStack() as stack:
        for number in range(100):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(api.address)
            # each asks for something else: nothing is shared by what is kept of answers
            asked = f"{path}{columns}&end={1704240000000 - 60000 * number}"
            connection.sendall(f"GET {asked} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        time.sleep(4)
        held = descriptors(api.process)
        time.sleep(17)
        left = descriptors(api.process)
        grown = megabytes(api.process) - before

    assert held - left >= 100
    assert grown < 3 * MOST_GROWTH_MB


def descriptors(process: subprocess.Popen[str]) -> int:
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00" * 1000,
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /%ff%fe HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_no_http_is_refused_and_harms_nobody(api: Process, sent: bytes) -> None:
    with socket.create_connection(api.address, timeout=20) as connection:
        connection.sendall(sent)
        answer = connection.recv(1000)

    assert answer.startswith(b"HTTP/1.1 4")
    assert httpx.get(f"{api.url}/api/v1/health", timeout=20).status_code == 200


def test_a_head_without_end_is_cut_off(api: Process) -> None:
    with socket.create_connection(api.address, timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: " + b"a" * 200_000)
        answer = connection.recv(1000)

    assert answer.startswith(b"HTTP/1.1 431 ")


def test_a_body_without_end_is_not_read(api: Process) -> None:
    before = megabytes(api.process)
    with socket.create_connection(api.address, timeout=5) as connection:
        connection.sendall(b"GET /docs HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")
        with pytest.raises(OSError, match=r"timed out|reset|[Bb]roken"):
            connection.sendall(b"a" * 200_000_000)

    assert megabytes(api.process) - before < MOST_GROWTH_MB
