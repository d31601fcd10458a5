"""The worker's home on SQS, on any machine: `python -m extract.queues.poller`.

The environment says which settings: CANDLELAKE_ENV, and any CANDLELAKE_ variable. It does what the
function on AWS Lambda does, by the same `work_off`. After SIGTERM the message in hand is finished.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from threading import Event

from extract.queues.batch import work_off
from extract.queues.handling import Equipment
from extract.queues.sqs import Queue
from lake.errors import CandlelakeError
from lake.settings import load_settings

#: How long one question waits for a message; an end waits as long.
WAIT_SECONDS = 10


def poll(equipment: Equipment, queue: Queue, is_stopped: Callable[[], bool]) -> None:
    """Work messages off until somebody stops it, and delete what is done.

    Raises:
        QueueError: SQS can't be asked.
    """
    while not is_stopped():
        for record in queue.receive(WAIT_SECONDS):
            answer = work_off({"Records": [record]}, equipment, queue)
            if not answer["batchItemFailures"]:
                queue.delete(record)


def main() -> int:
    """Poll the queue of the settings until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        settings = load_settings(os.environ.get("CANDLELAKE_ENV", "local"))
        poll(Equipment.of(settings), Queue.of(settings), stopped.is_set)
    except CandlelakeError as error:
        sys.stderr.write(f"candlelake: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
