"""Sees to it that holes close: asked over REST once they are old enough, again where that fails."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from extract.live.counters import Counters
from extract.live.filling import Filled, Filler
from extract.live.intake import Intake
from extract.live.stream import Stream
from extract.live.trail import Hole
from lake.setting_sections import Live

log = logging.getLogger(__name__)

TICK_SECONDS = 0.1
#: A fault that may pass is met again after so long, and so often.
AGAIN_SECONDS = 60.0
TRIES = 10


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A hole that is to be asked for again."""

    stream: Stream
    hole: Hole
    at_seconds: float
    tries: int


class HoleKeeper:
    """Gives the holes of all trails to the filler, and keeps count of what comes of them.

    Args:
        intake: whose trails.
        filler: asks the exchanges.
        counters: is told what has closed and what has not.
        settings: how long ids may still come by themselves.
    """

    def __init__(self, intake: Intake, filler: Filler, counters: Counters, settings: Live) -> None:
        self._intake = intake
        self._filler = filler
        self._counters = counters
        self._settings = settings
        self._asking: set[asyncio.Task[None]] = set()
        self._waiting: list[_Waiting] = []
        self._now_seconds = asyncio.get_running_loop().time

    async def run(self) -> None:
        """Ask for holes until cancelled; what has been asked for goes on."""
        while True:
            self.ask(self._now_seconds() - self._settings.hole_seconds)
            await asyncio.sleep(TICK_SECONDS)

    def ask(self, before_seconds: float) -> None:
        """Ask for all holes that have been open since `before_seconds`."""
        for stream, trail in self._intake.trails.items():
            if trail.came_late:
                self._counters.of(stream).holes_closed += trail.came_late
                trail.came_late = 0
            for hole in trail.due(before_seconds):
                self._begin(stream, hole, tries=1)
        now = self._now_seconds()
        due = [one for one in self._waiting if one.at_seconds <= now]
        self._waiting = [one for one in self._waiting if one.at_seconds > now]
        for one in due:
            self._begin(one.stream, one.hole, tries=one.tries)

    async def finish(self, seconds: float) -> None:
        """Ask for what is still open, and wait for the answers no longer than `seconds`."""
        self.ask(self._now_seconds())
        if self._asking:
            await asyncio.wait(self._asking, timeout=seconds)

    def _begin(self, stream: Stream, hole: Hole, *, tries: int) -> None:
        task = asyncio.create_task(self._fill(stream, hole, tries))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _fill(self, stream: Stream, hole: Hole, tries: int) -> None:
        log.info("hole stream=%s ids=%d..%d", stream.channel, hole.first_id, hole.last_id)
        filled = await asyncio.wrap_future(self._filler.fill(stream, hole.missing))
        if not filled.fault:
            self._counters.of(stream).holes_closed += 1
            self._counters.files += filled.landed.files_created
        elif filled.passes and tries < TRIES:
            at = self._now_seconds() + AGAIN_SECONDS
            self._waiting.append(_Waiting(stream, hole, at, tries + 1))
            log.warning("hole stream=%s is asked for again: %s", stream.channel, filled.fault)
        else:
            self._lose(stream, hole, filled)

    def _lose(self, stream: Stream, hole: Hole, filled: Filled) -> None:
        self._counters.of(stream).holes_lost += 1
        log.error(
            "hole stream=%s ids=%d..%d stays open: %s. To fill it: candlelake repair"
            " --exchange %s --kind %s --instruments '%s'",
            stream.channel,
            hole.first_id,
            hole.last_id,
            filled.fault,
            stream.exchange,
            stream.kind,
            stream.instrument,
        )
