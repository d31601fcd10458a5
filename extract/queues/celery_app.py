"""The worker's home on Celery: `celery -A extract.queues.celery_app worker`.

The environment says which settings: CANDLELAKE_ENV, and any CANDLELAKE_ variable. A message is
given back only after its chunk has landed and its follower is in the queue: a worker that is killed
loses none, its message is delivered again after `workers.visibility_seconds`.

The minute service has a queue of its own: `worker -Q candlelake.minute`, fed by
`celery -A extract.queues.celery_app beat`.
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
from extract.queues.minute_beat import BAR, INDEX, beat_schedule
from extract.queues.minute_polls import Polls
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


@cache
def _polls() -> Polls:
    return Polls(_settings(), _equipment().store)


app = application(_settings().workers.redis_url, _settings().workers.visibility_seconds)
# the schedule is all settings and clock: beat needs no file to remember it by
app.conf.update(beat_schedule=beat_schedule(_settings()), beat_scheduler="celery.beat:Scheduler")


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


@app.task(name=INDEX)  # type: ignore[untyped-decorator]
def poll_index(name: str) -> None:
    """Land the price of an index for the interval that is due; what fails is told in the log."""
    _polls().index(name)


@app.task(name=BAR)  # type: ignore[untyped-decorator]
def poll_bar(instrument: str) -> None:
    """Land the newest bar of `exchange/kind/name`; what fails is told, and left to the next."""
    _polls().bar(instrument)
