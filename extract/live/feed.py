"""Keeps some streams connected: again after a loss, and to the next connection before one ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from extract.live.connecting import Connected
from extract.live.counters import Counters
from extract.live.pacing import BackOff, Turns
from extract.live.stream import Stream
from lake.setting_sections import Live

log = logging.getLogger(__name__)

#: The successor has so many times `stale_seconds` to subscribe before the old connection goes.
RETIRES_AFTER = 3


class Feed:
    """The connection of some streams of a venue, one after the other.

    Args:
        streams: what to keep connected.
        connect: makes a connection for them.
        settings: when a connection is changed.
        connects: the venue's turns of connecting.
        back_off: how long to wait after a loss.
        counters: is told each reconnect.
    """

    def __init__(
        self,
        streams: Sequence[Stream],
        connect: Callable[[], Connected],
        settings: Live,
        *,
        connects: Turns,
        back_off: BackOff,
        counters: Counters,
    ) -> None:
        self.streams = streams
        self._connect = connect
        self._settings = settings
        self._connects = connects
        self._back_off = back_off
        self._counters = counters
        self._current: Connected | None = None
        self._tasks: set[asyncio.Task[object]] = set()

    def renew(self) -> None:
        """Open the next connection, then close the present one."""
        if self._current is not None:
            self._current.leaving.set()

    async def run(self) -> None:
        """Keep the streams connected until cancelled."""
        try:
            await self._keep()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self) -> None:
        old: asyncio.Task[object] | None = None
        while True:
            await self._connects.take()
            connection = self._current = self._connect()
            task = self._started(connection.run())
            if old is not None:
                self._started(self._retire(old, connection))
                old = None
            if await self._lives_on(connection, task):
                old = task
            else:
                log.warning(
                    "a connection of %d streams is %s", len(self.streams), _reason(task.result())
                )
                await asyncio.sleep(self._back_off.wait_seconds())
            for stream in self.streams:
                self._counters.of(stream).reconnects += 1

    async def _lives_on(self, connection: Connected, task: asyncio.Task[object]) -> bool:
        """Wait until a connection has ended, or is to be changed though it lives: then True."""
        began = asyncio.get_running_loop().time()
        leaving = asyncio.create_task(connection.leaving.wait())
        try:
            await asyncio.wait(
                {task, leaving},
                timeout=self._settings.connection_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            leaving.cancel()
        if asyncio.get_running_loop().time() - began >= self._settings.stale_seconds:
            self._back_off.succeeded()
        return not task.done()

    async def _retire(self, old: asyncio.Task[object], successor: Connected) -> None:
        """Close the old connection when the next one has subscribed and both have run a while."""
        try:
            async with asyncio.timeout(RETIRES_AFTER * self._settings.stale_seconds):
                await successor.subscribed.wait()
        except TimeoutError:
            log.warning("the next connection has not subscribed in time; the old one goes")
        await asyncio.sleep(self._settings.rotation_seconds)
        old.cancel()

    def _started(self, work: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _reason(end: object) -> str:
    return str(getattr(end, "value", end))
