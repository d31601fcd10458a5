"""The worker's home on Celery: `celery -A extract.queues.celery_app worker`.

The environment says which settings: CANDLELAKE_ENV, and any CANDLELAKE_ variable. A message is
given back only after its chunk has landed and its follower is in the queue: a worker that is killed
loses none, its message is delivered again after `workers.visibility_seconds`.
"""

from __future__ import annotations

import logging
import os
from functools import cache

from celery import Task
from redis import Redis

from extract.queues.celery_queue import NAME, application, send
from extract.queues.handling import Equipment, handle
from extract.queues.ledger import RunLedger
from lake.settings import Settings, load_settings

log = logging.getLogger(__name__)


@cache
def _settings() -> Settings:
    return load_settings(os.environ.get("CANDLELAKE_ENV", "replay"))


@cache
def _equipment() -> Equipment:
    return Equipment.of(_settings())


@cache
def _redis() -> Redis:
    return Redis.from_url(_settings().workers.redis_url)


app = application(_settings().workers.redis_url, _settings().workers.visibility_seconds)


@app.task(name=NAME, bind=True, max_retries=None)  # type: ignore[untyped-decorator]
def land_chunk(task: Task, text: str) -> None:
    """Work one message off and send what follows it."""
    workers = _settings().workers
    outcome = handle(text, _equipment())
    run = RunLedger(_redis(), outcome.message.run_id if outcome.message else "")
    deliveries = task.request.retries + 1
    if outcome.verdict == "later" and deliveries < workers.deliveries:
        log.warning("delivered again delivery=%d %s", deliveries, outcome.reason)
        raise task.retry(countdown=workers.retry_seconds)
    if outcome.verdict != "done":
        log.error("dead letter: %s", outcome.reason)
        run.bury(text, outcome.message, outcome.reason)
        return
    run.landed(outcome.landed)
    following = outcome.following
    if following is None:
        run.end(outcome.message)  # type: ignore[arg-type]
    elif not run.is_sent(following):
        send(app, following)
        run.sent(following)
