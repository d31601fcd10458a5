"""Works off what SQS delivers: called by the function on AWS Lambda, and by the poller."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from extract.queues.handling import Equipment, Outcome, handle
from extract.queues.sent import SentMarks
from extract.queues.sqs import Queue, Record
from lake.errors import CandlelakeError, QueueError

log = logging.getLogger(__name__)


def work_off(
    event: Mapping[str, Sequence[Record]], equipment: Equipment, queue: Queue
) -> dict[str, list[dict[str, str]]]:
    """Work the records of an event off, each by itself.

    Args:
        event: `{"Records": [{"messageId", "receiptHandle", "body", "attributes"}]}`.
        equipment: asks the exchanges and lands.
        queue: where the records come from, and what follows them goes.

    Returns:
        `{"batchItemFailures": [{"itemIdentifier": messageId}]}`: what has to be delivered again.
    """
    again = [one for one in event["Records"] if not _is_done(one, equipment, queue)]
    for record in again:
        _postpone(record, equipment, queue)
    return {"batchItemFailures": [{"itemIdentifier": one["messageId"]} for one in again]}


def _is_done(record: Record, equipment: Equipment, queue: Queue) -> bool:
    """Tell whether a record may leave its queue: what follows it, or its reason, is in another."""
    outcome = handle(record["body"], equipment)
    workers = equipment.settings.workers
    try:
        if outcome.verdict == "done":
            _send_following(outcome, equipment, queue)
        elif outcome.verdict == "dead" or _deliveries(record) >= workers.deliveries:
            log.error("dead letter: %s", outcome.reason)
            queue.bury(record["body"], outcome.reason)
        else:
            log.warning("delivered again message=%s %s", record["messageId"], outcome.reason)
            return False
    except CandlelakeError as error:
        log.warning("delivered again message=%s %s", record["messageId"], error)
        return False
    return True


def _send_following(outcome: Outcome, equipment: Equipment, queue: Queue) -> None:
    following, marks = outcome.following, SentMarks(equipment.store)
    if following is not None and not marks.has(following):
        queue.send([following])
        marks.add(following)


def _deliveries(record: Record) -> int:
    attributes: Mapping[str, Any] = record.get("attributes", {})
    return int(attributes.get("ApproximateReceiveCount", 1))


def _postpone(record: Record, equipment: Equipment, queue: Queue) -> None:
    try:
        queue.postpone(record, equipment.settings.workers.retry_seconds)
    except QueueError as error:
        log.warning("delivered again when it is visible by itself: %s", error)
