"""A history worked off by pollers on a real SQS-compatible server: killed, poisoned, done once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from extract.replay.exchange import ReplayExchange
from tests.front_door.commands import landed
from tests.queues.conftest import ROOT, wait_for
from tests.queues.on_queue import ETHUSDT_IDS, held, history
from tests.queues.sqs_server import Queues, new_queues, server
from tests.queues.sqs_side import GOOD

pytestmark = pytest.mark.slow

VISIBILITY_SECONDS = 4
DELIVERIES = 4
Poller = Callable[[], subprocess.Popen[bytes]]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server("elasticmq.sh", tmp_path_factory.mktemp("elasticmq")) as address:
        yield address


@pytest.fixture
def queues(endpoint: str) -> Queues:
    return new_queues(endpoint, VISIBILITY_SECONDS, receives=DELIVERIES + 1)


@pytest.fixture
def sqs_environment(queues: Queues, exchange: ReplayExchange, tmp_path: Path) -> dict[str, str]:
    """The environment of every process of a run: one lake, one exchange, one queue."""
    settings = {
        **exchange.urls.settings(),
        "lake.root": str(tmp_path / "lake"),
        "workers.home": "sqs",
        "workers.retry_seconds": "1",
        "workers.deliveries": str(DELIVERIES),
        "extract.chunk_limit": "1000",
        "extract.attempts": "1",
    }
    named = {
        f"CANDLELAKE_{path.upper().replace('.', '__')}": value for path, value in settings.items()
    }
    mine = {name: value for name, value in os.environ.items() if not name.startswith("CANDLELAKE_")}
    return {**mine, **queues.environment, **named, "CANDLELAKE_ENV": "replay"}


@pytest.fixture
def start_poller(sqs_environment: dict[str, str], tmp_path: Path) -> Iterator[Poller]:
    """Start pollers; whatever still runs is killed in the end."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        with (tmp_path / f"poller{len(started)}.log").open("wb") as log:
            poller = subprocess.Popen(
                [sys.executable, "-m", "extract.queues.poller"],
                cwd=ROOT,
                env=sqs_environment,
                stdout=log,
                stderr=log,
            )
        started.append(poller)
        return poller

    yield start
    for poller in started:
        poller.kill()
        poller.wait(10)


def test_a_history_returns_at_once_and_a_poller_lands_it_whole(
    sqs_environment: dict[str, str], start_poller: Poller, queues: Queues, tmp_path: Path
) -> None:
    run = history(sqs_environment)
    stdout, stderr = run.communicate(timeout=120)
    sent = queues.waiting()

    assert (run.returncode, stdout) == (0, f"files=1 rows=3 sent={sent}\n"), stderr
    assert sent > 1
    assert held(tmp_path) == []

    poller = start_poller()
    wait_for(lambda: queues.waiting() == 0, "the queue")
    poller.terminate()

    assert poller.wait(30) == 0
    assert held(tmp_path) == ETHUSDT_IDS
    assert queues.dead() == {}


def test_a_poller_that_is_killed_in_the_middle_loses_nothing(
    sqs_environment: dict[str, str], start_poller: Poller, queues: Queues, tmp_path: Path
) -> None:
    doomed = start_poller()
    run = history(sqs_environment)
    wait_for(lambda: len(held(tmp_path)) > 1000, "the first chunks")

    doomed.kill()
    doomed.wait(10)
    assert held(tmp_path) != ETHUSDT_IDS
    start_poller()
    start_poller()
    wait_for(lambda: queues.waiting() == 0 and held(tmp_path) == ETHUSDT_IDS, "the rest")

    _, stderr = run.communicate(timeout=60)
    assert run.returncode == 0, stderr
    assert queues.dead() == {}


def test_a_message_sent_twice_lands_the_same_objects_once(
    start_poller: Poller, queues: Queues, tmp_path: Path
) -> None:
    queues.send(GOOD.to_json(), GOOD.to_json())

    start_poller()
    wait_for(lambda: queues.waiting() == 0, "the queue")

    assert held(tmp_path) == ETHUSDT_IDS[:2000]
    assert len(landed(tmp_path / "lake")) == 3


def test_poison_ends_in_the_dead_letter_queue_with_its_reason_and_the_others_are_done(
    start_poller: Poller, queues: Queues, tmp_path: Path
) -> None:
    unknown = replace(GOOD, instrument="NOSUCH").to_json()
    text = GOOD.to_json().replace(f'"chunk":{GOOD.chunk}', '"chunk":"first"')
    queues.send("{}", unknown, text, GOOD.to_json())

    start_poller()
    wait_for(lambda: queues.waiting() == 0, "the queue")

    reasons = queues.dead()
    assert set(reasons) == {"{}", unknown, text}
    assert "Invalid symbol" in reasons[unknown]
    assert "no message of a chunk" in reasons["{}"]
    assert "no message of a chunk" in reasons[text]
    assert held(tmp_path) == ETHUSDT_IDS[:2000]


def test_what_stays_unreachable_is_a_dead_letter_with_its_reason_after_its_deliveries(
    sqs_environment: dict[str, str], start_poller: Poller, queues: Queues
) -> None:
    sqs_environment["CANDLELAKE_EXCHANGES__BINANCE__SPOT__REST_URL"] = "http://127.0.0.1:1"
    queues.send(GOOD.to_json())

    start_poller()
    wait_for(lambda: queues.waiting() == 0, "the queue")

    assert "127.0.0.1:1" in queues.dead()[GOOD.to_json()]
