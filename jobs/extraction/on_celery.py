"""Hands a history's messages to Celery's workers and waits until their chains have ended."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from extract.history.message import Message
from extract.landing import Landed
from jobs.context import Lake
from jobs.extraction.progress import Watch
from lake.errors import ExtractError, UsageError
from lake.settings import Settings

if TYPE_CHECKING:
    from extract.queues.ledger import RunLedger, Standing

log = logging.getLogger(__name__)

#: How often the workers' account is looked at, and after how long without a row a word is said.
EVERY_SECONDS = 1
QUIET_SECONDS = 60


def run(lake: Lake, settings: Settings, messages: Sequence[Message], watch: Watch) -> Landed:
    """Send messages to the queue and return what the workers have landed of them.

    Raises:
        UsageError: `workers.redis_url` is not set, or no Redis answers there.
        ExtractError: a message could not be worked on; the others are done.
    """
    from redis import Redis  # noqa: PLC0415 - only where Celery is the home
    from redis.exceptions import RedisError  # noqa: PLC0415

    from extract.queues.celery_queue import application, send  # noqa: PLC0415
    from extract.queues.ledger import RunLedger  # noqa: PLC0415

    workers = settings.workers
    if not workers.redis_url:
        raise UsageError("workers.home=celery wants workers.redis_url")
    account = RunLedger(Redis.from_url(workers.redis_url), lake.run_id)
    try:
        account.begin(messages)
        app = application(workers.redis_url, workers.visibility_seconds)
        for message in messages:
            send(app, message)
        standing = _waited(lake, account, watch)
    except RedisError as error:
        raise UsageError(
            f"Redis does not answer: {error}", hint="Check workers.redis_url and the server."
        ) from error
    if reasons := account.reasons():
        raise ExtractError(
            f"{len(reasons)} messages could not be worked on; the first: {reasons[0]}",
            hint="They are in the Redis list candlelake:dead.",
        )
    return Landed(files_created=standing.files, rows=standing.rows)


def _waited(lake: Lake, account: RunLedger, watch: Watch) -> Standing:
    rows = quiet = 0
    while (standing := account.standing()).open_chains:
        lake.clock.sleep(EVERY_SECONDS)
        quiet = 0 if standing.rows > rows else quiet + EVERY_SECONDS
        if quiet == QUIET_SECONDS:
            log.warning(
                "no row for %d s: is a worker running? celery -A extract.queues.celery_app worker",
                QUIET_SECONDS,
            )
        watch.landed(standing.rows - rows)
        rows = standing.rows
    return account.standing()
