"""A history worked off by a Celery worker on a real Redis: once, and its poison put aside."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

from redis import Redis

from extract.coverage import Missing
from extract.history.message import Message
from extract.queues.celery_queue import application, send
from extract.queues.ledger import DEAD
from tests.extract.tape_server import CLOCK_MS
from tests.queues.conftest import Start, wait_for
from tests.queues.on_queue import ETHUSDT_IDS, held, history


def test_a_second_run_sends_nothing(
    environment: dict[str, str], start_worker: Start, redis_url: str
) -> None:
    start_worker()
    first = history(environment)
    first.communicate(timeout=120)
    assert first.returncode == 0

    second = history(environment)

    stdout, stderr = second.communicate(timeout=60)
    assert (second.returncode, stdout) == (0, "files=0 rows=0\n"), stderr
    with Redis.from_url(redis_url) as redis:
        assert redis.llen("candlelake") == 0


def test_a_poison_message_is_a_dead_letter_with_its_reason_and_the_others_are_done(
    environment: dict[str, str], start_worker: Start, redis_url: str, tmp_path: Path
) -> None:
    app = application(redis_url, 5)
    range_ = Missing(ETHUSDT_IDS[0], ETHUSDT_IDS[0] + 999)
    good = Message(
        exchange="binance",
        kind="spot",
        dataset="agg_trades",
        instrument="ETHUSDT",
        mode="start",
        run_id="r",
        missing=range_,
        chunk=1_692_296,
        chunk_limit=1000,
        stride=1,
        venue_clock_ms=CLOCK_MS,
    )
    unknown = replace(good, instrument="NOSUCH")
    app.send_task("candlelake.land_chunk", args=["{}"])
    send(app, unknown)
    send(app, good)
    start_worker()

    with Redis.from_url(redis_url) as redis:
        wait_for(lambda: redis.llen(DEAD) == 2 and len(held(tmp_path)) == 1000, "the messages")
        letters = cast("list[bytes]", redis.lrange(DEAD, 0, -1))

    reasons = [json.loads(letter)["reason"] for letter in letters]
    assert "no message of a chunk" in reasons[0]
    assert "Invalid symbol" in reasons[1]
    assert held(tmp_path) == ETHUSDT_IDS[:1000]
