"""Celery's workers on a real Redis: one is killed in the middle; two share one limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from extract.replay.exchange import ReplayExchange
from tests.queues.conftest import Start, wait_for
from tests.queues.on_queue import ETHUSDT_IDS, held, history

pytestmark = pytest.mark.slow


def test_two_workers_land_everything_and_a_killed_one_loses_nothing(
    environment: dict[str, str], start_worker: Start, tmp_path: Path
) -> None:
    doomed = start_worker()
    run = history(environment)
    wait_for(lambda: len(held(tmp_path)) > 1000, "the first chunks")

    doomed.kill()
    start_worker()
    start_worker()
    stdout, stderr = run.communicate(timeout=120)

    assert run.returncode == 0, stderr
    assert stdout.endswith(" rows=10004\n")
    assert held(tmp_path) == ETHUSDT_IDS


@pytest.mark.parametrize("exchange", [70], indirect=True)
def test_workers_share_one_limit_and_cause_no_429(
    environment: dict[str, str], start_worker: Start, tmp_path: Path, exchange: ReplayExchange
) -> None:
    environment["CANDLELAKE_EXCHANGES__BINANCE__SPOT__WEIGHT_LIMIT_PER_MINUTE"] = "70"
    start_worker()
    start_worker()

    run = history(environment)
    _, stderr = run.communicate(timeout=200)

    assert run.returncode == 0, stderr
    assert held(tmp_path) == ETHUSDT_IDS
    assert {one.status for one in exchange.requests.last()} == {200}
