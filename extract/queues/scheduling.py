"""Sends the first messages of all that the settings' universe lacks; needs no Spark."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, cast

from extract.history.message import MODES, Mode
from extract.history.universe import Window, of_universe
from extract.queues.handling import Equipment
from extract.queues.sqs import Queue
from lake.errors import UsageError
from lake.moment import moment
from lake.run import claim, new_run_id

log = logging.getLogger(__name__)

KNOWN = ("mode", "start", "end")


def window_of(event: Mapping[str, Any]) -> Window:
    """Return the window that an event names: `{"mode", "start", "end"}`, each may be left out.

    Raises:
        UsageError: it names something else, an unknown mode, or no moment.
    """
    unknown = sorted(set(event) - set(KNOWN))
    mode = event.get("mode", "start")
    if unknown or mode not in MODES:
        raise UsageError(
            f"a scheduler's event can't be used: {', '.join(unknown) or f'mode {mode!a}'}",
            hint=f"It may have {', '.join(KNOWN)}; modes are {', '.join(MODES)}.",
        )
    start, end = (moment(str(event.get(name) or ""), name) for name in ("start", "end"))
    return Window.of(cast("Mode", mode), start, end)


def send_universe(window: Window, equipment: Equipment, queue: Queue) -> int:
    """Send what starts the chains of each instrument of the universe; return how many that is.

    An instrument's messages go out as soon as they are known: what an end in the middle leaves
    out, the next call sends.

    Raises:
        UsageError: the lake is of another environment, or the universe names what is unknown.
        UnreachableError, BannedError, PermanentExtractError: as `Client.ask`.
        QueueError: SQS refuses.
    """
    settings, store = equipment.settings, equipment.store
    claim(store, settings.env)
    run_id, sent = new_run_id(equipment.client.clock), 0
    for found in of_universe(settings, store, equipment.client, window, run_id=run_id):
        queue.send(found.messages)
        sent += len(found.messages)
    log.info("run=%s sent=%d", run_id, sent)
    return sent
