"""What AWS Lambda calls: `worker` for messages of the queue, `scheduler` by the clock.

CANDLELAKE_ variables are the settings. What is opened stays open between calls.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from extract.queues.batch import work_off
from extract.queues.handling import Equipment
from extract.queues.scheduling import send_universe, window_of
from extract.queues.sqs import Queue
from lake.settings import Settings, load_settings


@cache
def _settings() -> Settings:
    return load_settings(os.environ.get("CANDLELAKE_ENV", "aws"))


@cache
def _equipment() -> Equipment:
    return Equipment.of(_settings())


@cache
def _queue() -> Queue:
    return Queue.of(_settings())


def worker(event: Mapping[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    """Work a batch of messages off; return which of them have to be delivered again."""
    del context
    return work_off(event, _equipment(), _queue())


def scheduler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """Send what is missing of the universe: `{"mode", "start", "end"}`; return how much it is.

    Raises:
        CandlelakeError: as `send_universe`; the next call goes on.
    """
    del context
    return {"sent": send_universe(window_of(event), _equipment(), _queue())}
