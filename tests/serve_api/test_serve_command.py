"""`candlelake serve` and `candlelake api-key` as a user runs them, on real databases."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from serve.api.server import listening
from serve.database.address import Address
from tests.serve_api.filled import fill
from tests.serve_api.market import MINUTES, filled_repository, minute_bar
from tests.serve_database.databases import settings_of, start_postgres, stop_postgres

ROOT = Path(__file__).parents[2]
COMMAND = "import sys; from jobs.cli import main; sys.exit(main())"
LATEST = "/api/v1/binance/latest?ticker=BTCUSDT&kind=spot"
pytestmark = pytest.mark.slow


class Served(NamedTuple):
    process: subprocess.Popen[str]
    url: str

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """End it; return its exit code and what it said."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, said


def command(*options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *options],
        cwd=ROOT,
        env={**os.environ, **environ},
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
    )


@contextmanager
def serving(*options: str, environ: Mapping[str, str] | None = None) -> Iterator[Served]:
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, "serve", "--port", "0", *options],
        cwd=ROOT,
        env={**os.environ, **(environ or {})},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        try:
            assert line.startswith("candlelake: serving at http://127.0.0.1:"), line
            yield Served(process, line.split()[-1])
        finally:
            if process.poll() is None:
                process.terminate()
                process.communicate(timeout=30)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("lake")
    fill(Address(str(folder / "serve.sqlite"), 10), filled_repository())
    return f"lake.root={folder}"


def test_it_serves_the_lakes_own_database_until_it_is_told_to_end(lake: str) -> None:
    with serving("--set", lake) as served:
        answer = httpx.get(served.url + LATEST, timeout=20)
        code, said = served.end(signal.SIGTERM)

    assert answer.json()["bar"]["close"] == minute_bar(MINUTES - 1).close
    assert (code, said) == (0, "")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_interrupt_is_told_and_is_130(lake: str, workers: str) -> None:
    with serving("--set", lake, "--workers", workers) as served:
        assert httpx.get(served.url + LATEST, timeout=30).status_code == 200
        code, said = served.end(signal.SIGINT)

    assert code == 130
    assert "Traceback" not in said


def test_a_lake_without_a_publication_is_served_and_says_so(tmp_path: Path) -> None:
    with serving("--set", f"lake.root={tmp_path}") as served:
        health = httpx.get(f"{served.url}/api/v1/health", timeout=20)

    assert health.status_code == 200
    assert "publish" in health.json()["parts"]["publication"]["detail"]


def test_an_address_in_use_is_one_line(lake: str) -> None:
    with listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        done = command("serve", "--port", str(port), "--set", lake)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("candlelake: can't listen: Address already in use")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--host", "0.0.0.0"), "nobody is asked for a key"),  # noqa: S104
        (("--host", "0.0.0.0", "--set", "serve.keys_file=/nowhere/keys"), "can't be read"),  # noqa: S104
        (("--set", "serve.keys_file=/nowhere/keys"), "API keys can't be read"),
        (("--set", "lake.root=s3://bucket/lake"), "serve.database_url"),
        (("--set", "serve.page_rows=0"), "serve.page_rows"),
    ],
)
def test_what_can_not_be_served_stops_the_start_in_one_line(
    lake: str, options: tuple[str, ...], words: str
) -> None:
    done = command("serve", "--port", "0", "--set", lake, *options)

    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_is_made_by_a_command_and_opens_the_api(lake: str, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    chosen = ("--set", f"serve.keys_file={keys}")
    made = command("api-key", "new", "--name", "chart", *chosen)
    again = command("api-key", "new", "--name", "chart", *chosen)
    listed = command("api-key", "list", *chosen)
    with serving("--set", lake, *chosen, "--host", "127.0.0.1") as served:
        refused = httpx.get(served.url + LATEST, timeout=20)
        headers = {"x-api-key": made.stdout.strip()}
        opened = httpx.get(served.url + LATEST, headers=headers, timeout=20)

    assert made.returncode == 0
    assert made.stdout.startswith("candlelake_")
    assert (again.returncode, again.stdout) == (2, "")
    assert listed.stdout == "chart\n"
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert (refused.status_code, opened.status_code) == (401, 200)


def test_a_key_needs_a_file() -> None:
    done = command("api-key", "new", "--name", "chart")

    assert done.returncode == 2
    assert "serve.keys_file" in done.stderr


def test_the_database_goes_and_comes_and_nothing_is_restarted(tmp_path: Path) -> None:
    server = start_postgres(tmp_path / "server")
    folder = tmp_path / "server"
    try:
        fill(server, filled_repository())
        with serving(environ=settings_of(server)) as served:
            before = httpx.get(served.url + LATEST, timeout=20)
            stop_postgres(folder)
            gone, seconds = _asked(served.url, 503)
            ill = httpx.get(f"{served.url}/api/v1/health", timeout=20)
            start_postgres(folder, server.port)
            after, _ = _asked(served.url, 200)
            code, said = served.end(signal.SIGTERM)
    finally:
        stop_postgres(folder)

    assert before.status_code == 200
    assert gone.headers["retry-after"] == "2"
    assert gone.json()["error"]["code"] == "database_gone"
    assert seconds < 5
    assert ill.json()["parts"]["database"]["status"] == "ill"
    assert after.json() == before.json()
    assert code == 0
    assert "Traceback" not in said
    assert str(server.password and server.password.get_secret_value()) not in said


def _asked(url: str, status: int) -> tuple[httpx.Response, float]:
    """Ask until the answer has a status; return it, and the seconds of that answer."""
    until = time.monotonic() + 20
    while True:
        began = time.monotonic()
        answer = httpx.get(url + LATEST, timeout=20)
        if answer.status_code == status or began > until:
            assert answer.status_code == status, answer.text
            return answer, time.monotonic() - began
        time.sleep(0.2)
