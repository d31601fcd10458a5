"""One websocket connection that CCXT makes and keeps alive, as a feed sees it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import aiohttp
import ccxt

from extract.live.ccxt_socket import FAULTS, CcxtSocket
from extract.live.connecting import End
from extract.live.counters import Counters
from extract.live.intake import Intake
from extract.live.pacing import Turns
from extract.live.stream import Stream
from extract.live.subscribing import Subscribing
from extract.live.venue import Venue
from lake.settings import Settings

log = logging.getLogger(__name__)


class CcxtConnection:
    """One connection of a venue for some of its streams, through CCXT.

    Args:
        session: of all connections.
        settings: how patient to be.
        venue: where, and how to read.
        streams: what to subscribe to.
        intake: takes the frames.
        counters: is told what is refused.
        turns: of the messages that we send; shared where the exchange counts by address.

    Attributes:
        subscribed: set when every subscription has been answered.
        leaving: set when the exchange has said that it will close the connection.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        settings: Settings,
        venue: Venue,
        streams: Sequence[Stream],
        *,
        intake: Intake,
        counters: Counters,
        turns: Turns,
    ) -> None:
        self.leaving = asyncio.Event()
        self._venue = venue
        self._intake = intake
        self._turns = turns
        self._subscribing = Subscribing(venue, streams, counters)
        self.subscribed = self._subscribing.done
        self._by_channel = {stream.channel: stream for stream in streams}
        self._ended: asyncio.Future[End] = asyncio.get_running_loop().create_future()
        self._socket = CcxtSocket(
            session,
            settings,
            streams,
            url=venue.url,
            take=self._take,
            asked=self._asked,
            room=intake.room,
        )

    async def run(self) -> End:
        """Connect and read until the connection ends; it never raises for what a network does."""
        watching: list[asyncio.Task[None]] = []
        asking = asyncio.create_task(self._ask(watching))
        try:
            return await self._ended
        finally:
            for task in (asking, *watching):
                task.cancel()
            await asyncio.gather(asking, *watching, return_exceptions=True)
            await self._socket.close()

    async def _ask(self, watching: list[asyncio.Task[None]]) -> None:
        while True:
            part = await self._subscribing.to_ask.get()
            task = asyncio.create_task(self._watch(part))
            task.add_done_callback(self._watched)
            watching.append(task)

    async def _watch(self, streams: Sequence[Stream]) -> None:
        end, why = End.LOST, "it has closed the connection"
        try:
            await self._socket.watch(streams, self._turns)
        except* ccxt.RequestTimeout as group:
            end, why = End.STALE, str(group.exceptions[0])
        except* FAULTS as group:
            why = str(group.exceptions[0])
        if not self._ended.done():
            log.warning("CCXT: %s: %s", self._venue.url, why)
            self._ended.set_result(end)

    def _watched(self, task: asyncio.Task[None]) -> None:
        """Let what is no fault of a network end the collector."""
        if not task.cancelled() and (error := task.exception()) and not self._ended.done():
            self._ended.set_exception(error)

    def _asked(self, number: int, channels: Sequence[str]) -> None:
        self._subscribing.asked(number, [self._by_channel[name] for name in channels])

    def _take(self, frame: bytes) -> None:
        said = self._intake.take(self._venue, frame)
        if said is None:
            return
        if said.kind == "shutdown":
            log.info("%s will close a connection: the next one is opened", self._venue.url)
            self.leaving.set()
        elif said.kind == "answer":
            self._subscribing.answered(said)
