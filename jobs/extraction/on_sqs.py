"""Hands a history's messages to a queue of SQS; nobody waits for them."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from extract.history.message import Message
from lake.settings import Settings

log = logging.getLogger(__name__)


def send(settings: Settings, messages: Sequence[Message]) -> int:
    """Send messages to the queue of the settings and return how many they are.

    Raises:
        UsageError: the settings name no queue.
        QueueError: SQS can't be asked, or refuses.
    """
    from extract.queues.sqs import Queue  # noqa: PLC0415 - boto3 only where SQS is the home

    Queue.of(settings).send(messages)
    log.info("sent=%d: workers of the queue land them, and nobody waits", len(messages))
    return len(messages)
