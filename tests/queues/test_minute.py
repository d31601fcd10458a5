"""The minute service on Celery: one process for many tasks, and beat on the clock."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from extract.queues.celery_queue import application
from extract.queues.minute_beat import BAR, INDEX, QUEUE, OnTheClock, beat_schedule
from extract.replay.exchange import ReplayExchange
from lake.bronze import parse_name
from lake.objects import FolderStore
from lake.settings import load_settings
from tests.queues.conftest import ROOT, wait_for

INDEXES = ("btc_usd", "eth_usd", "btc_usdc", "sol_usdc", "xrp_usdc")
FAULTS = ("Traceback", "ERROR", "event loop", "Unclosed", "was never awaited")


@pytest.fixture
def settled(environment: dict[str, str]) -> dict[str, str]:
    """The settings of a worker of the minute; the exchange's clock stands at a minute's end."""
    return {
        **environment,
        "CANDLELAKE_MINUTE__DELAY_SECONDS": "0",
        "CANDLELAKE_WORKERS__VISIBILITY_SECONDS": "60",
    }


@pytest.fixture(params=["solo", "prefork"])
def worker(
    request: pytest.FixtureRequest, settled: dict[str, str], tmp_path: Path
) -> Iterator[tuple[int, Path]]:
    """One process that works tasks off: its id, and the log."""
    log = tmp_path / "worker.log"
    words = ["worker", "--pool", request.param, "-c", "1", "-Q", QUEUE, "--loglevel", "INFO"]
    with _celery(words, settled, log) as running:
        wait_for(lambda: " ready." in log.read_text(), "the worker")
        process = running.pid
        if request.param == "prefork":
            (process,) = _children(running.pid)
        yield process, log


def test_fifty_tasks_of_one_process_leave_no_connection_and_no_error(
    worker: tuple[int, Path], settled: dict[str, str], redis_url: str, exchange: ReplayExchange
) -> None:
    process, log = worker
    app = application(redis_url, 60)
    with app.connection_for_write() as connection:
        for name in INDEXES:
            app.send_task(INDEX, args=[name], queue=QUEUE, connection=connection)
        wait_for(lambda: _polled(log) == 5, "the first tasks")
        before = _sockets(process)

        for place in range(50):
            name = INDEXES[place % len(INDEXES)]
            app.send_task(INDEX, args=[name], queue=QUEUE, connection=connection)
        app.send_task(BAR, args=["deribit/future/BTC-PERPETUAL"], queue=QUEUE)
        wait_for(lambda: _polled(log) == 56, "the tasks")
        app.close()

    assert _sockets(process) <= before
    assert [word for word in FAULTS if word in log.read_text()] == []
    asked = [one for one in exchange.requests.last() if one.path.endswith("get_index_price")]
    assert len(asked) == 55
    store = FolderStore(Path(settled["CANDLELAKE_LAKE__ROOT"]))
    prices = [parse_name(key) for key in store.names("bronze/index_prices/")]
    # the exchange's clock stands still: each index has one minute, however often it was asked
    assert sorted(name.instrument for name in prices) == sorted(INDEXES)
    assert len(list(store.names("bronze/klines/deribit/future/"))) == 1


def test_beat_and_a_worker_land_what_the_settings_name(
    settled: dict[str, str], tmp_path: Path
) -> None:
    environment = {
        **settled,
        "CANDLELAKE_MINUTE__INTERVAL_SECONDS": "2",
        "CANDLELAKE_MINUTE__BARS": "deribit/future/BTC-PERPETUAL",
    }
    store = FolderStore(Path(settled["CANDLELAKE_LAKE__ROOT"]))
    words = ["worker", "--pool", "solo", "-Q", QUEUE, "--loglevel", "INFO"]
    beat, log = tmp_path / "beat.log", tmp_path / "worker.log"

    with (
        _celery(words, environment, log),
        _celery(["beat", "--loglevel", "INFO", "--pidfile="], environment, beat),
    ):
        wait_for(lambda: len(list(store.names("bronze/"))) == 3, "an index, another, and a bar")
        wait_for(lambda: beat.read_text().count("Sending due task") >= 6, "a second round")

    assert [word for word in FAULTS if word in log.read_text() + beat.read_text()] == []
    assert not list(ROOT.glob("celerybeat*"))


def test_an_interval_is_due_once_whenever_it_ends() -> None:
    schedule = OnTheClock(60)
    moment = datetime(2024, 8, 9, 0, 5, 0, 250_000, tzinfo=UTC)
    schedule.nowfun = lambda: moment

    due = schedule.is_due(datetime(2024, 8, 9, 0, 4, 59, 999_000, tzinfo=UTC))
    done = schedule.is_due(datetime(2024, 8, 9, 0, 5, 0, 100_000, tzinfo=UTC))

    assert (due.is_due, due.next) == (True, 59.75)
    assert (done.is_due, done.next) == (False, 59.75)


def test_the_beat_has_a_task_an_index_and_an_instrument() -> None:
    settings = load_settings(
        "replay", ["minute.bars=binance/spot/BTCUSDT", "minute.interval_seconds=300"], environ={}
    )

    entries = beat_schedule(settings)

    assert {(entry["task"], *entry["args"]) for entry in entries.values()} == {
        (INDEX, "btc_usd"),
        (INDEX, "eth_usd"),
        (BAR, "binance/spot/BTCUSDT"),
    }
    assert {entry["options"]["expires"] for entry in entries.values()} == {150}


class _celery:  # noqa: N801 - used as a function
    """A command of Celery on the project's application, for the length of a `with` block."""

    def __init__(self, words: list[str], environment: dict[str, str], log: Path) -> None:
        self._words, self._environment, self._log = words, environment, log

    def __enter__(self) -> subprocess.Popen[bytes]:
        with self._log.open("wb") as file:
            self._running = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "extract.queues.celery_app", *self._words],
                cwd=ROOT,
                env=self._environment,
                stdout=file,
                stderr=file,
            )
        return self._running

    def __exit__(self, *_: object) -> None:
        self._running.terminate()
        try:
            self._running.wait(20)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait(10)


def _children(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(word) for word in text.split()]


def _sockets(process: int) -> int:
    """Count the sockets that a process holds open."""
    folder = Path(f"/proc/{process}/fd")
    links = []
    for entry in folder.iterdir():
        try:
            links.append(str(entry.readlink()))
        except FileNotFoundError:
            continue
    return sum(link.startswith("socket:") for link in links)


def _polled(log: Path) -> int:
    return log.read_text().count("polled ")
