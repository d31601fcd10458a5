"""Asks over REST whether a stream that is silent lags: nothing else tells silence from a loss."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from extract.live.counters import Counters
from extract.live.filling import Filler
from extract.live.intake import Intake
from extract.live.stream import Stream

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
#: A stream that stays silent, and lags in nothing, is asked about less and less often.
LONGEST_SECONDS = 3600.0
#: So often behind without a frame in between, its connection is changed.
RENEW_AFTER = 2


@dataclass(slots=True)
class _Patience:
    """When a stream is asked about next, and what was known of it."""

    at_seconds: float
    wait_seconds: float
    messages: int
    reconnects: int
    behind: int = 0
    is_asked: bool = False


class QuietWatch:
    """Asks for the newest id of each numbered stream that shows nothing for a while.

    Args:
        intake: whose trails.
        filler: asks the exchanges.
        counters: tells what came.
        quiet_seconds: how long a stream may be silent.
        renew: changes the connection of a stream.
    """

    def __init__(
        self,
        intake: Intake,
        filler: Filler,
        counters: Counters,
        *,
        quiet_seconds: float,
        renew: Callable[[Stream], None],
    ) -> None:
        self._intake = intake
        self._filler = filler
        self._counters = counters
        self._quiet_seconds = quiet_seconds
        self._renew = renew
        self._now_seconds = asyncio.get_running_loop().time
        self._known: dict[Stream, _Patience] = {}
        self._asking: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            for stream in self._intake.trails:
                self._look_at(stream)
            await asyncio.sleep(min(TICK_SECONDS, self._quiet_seconds / 4))

    def _look_at(self, stream: Stream) -> None:
        counter, now = self._counters.of(stream), self._now_seconds()
        known = self._known.get(stream)
        came = known is None or known.messages != counter.messages
        if known is None or came or known.reconnects != counter.reconnects:
            behind = 0 if known is None or came else known.behind
            at, wait = now + self._quiet_seconds, self._quiet_seconds
            self._known[stream] = _Patience(at, wait, counter.messages, counter.reconnects, behind)
        elif now >= known.at_seconds and not known.is_asked and not counter.refused:
            known.is_asked = True
            task = asyncio.create_task(self._ask(stream, known))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _ask(self, stream: Stream, known: _Patience) -> None:
        newest = await asyncio.wrap_future(self._filler.newest(stream))
        trail = self._intake.trails[stream]
        opened = trail.reached(newest, self._now_seconds()) if newest is not None else 0
        self._counters.of(stream).holes_opened += opened
        known.behind += opened
        if known.behind >= RENEW_AFTER:
            log.warning("%s is silent though its ids run on: connecting anew", stream.channel)
            known.behind = 0
            self._renew(stream)
        known.wait_seconds = (
            self._quiet_seconds if opened else min(2 * known.wait_seconds, LONGEST_SECONDS)
        )
        known.at_seconds = self._now_seconds() + known.wait_seconds
        known.is_asked = False
