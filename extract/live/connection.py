"""One websocket connection: it subscribes at the allowed pace, reads, and notices its own death."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum
from typing import Any, TypeAlias

import aiohttp

from extract.live.counters import Counters
from extract.live.intake import Intake
from extract.live.pacing import Turns
from extract.live.stream import Said, Stream
from extract.live.venue import Venue
from lake.settings import Settings

log = logging.getLogger(__name__)

#: After so many frames others get their turn, however many more wait to be read.
FRAMES_AT_A_TIME = 256
#: No frame of ours is larger; a larger one ends the connection.
LARGEST_FRAME_BYTES = 32 << 20
#: How long a farewell may take.
CLOSE_SECONDS = 0.5
Socket: TypeAlias = aiohttp.ClientWebSocketResponse[Any]
LOST = (aiohttp.ClientError, OSError, asyncio.TimeoutError)


class End(Enum):
    """Why a connection has ended."""

    LOST = "lost"
    STALE = "stale"
    CLOSED = "closed by the exchange"


class Connection:
    """One connection of a venue for some of its streams.

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
        self.subscribed = asyncio.Event()
        self.leaving = asyncio.Event()
        self._session = session
        self._settings = settings
        self._venue = venue
        self._streams = streams
        self._intake = intake
        self._counters = counters
        self._turns = turns
        self._asked: dict[int, Sequence[Stream]] = {}
        self._to_ask: asyncio.Queue[Sequence[Stream]] = asyncio.Queue()
        self._number = 0
        self._heard_seconds = 0.0
        self._end: End | None = None

    async def run(self) -> End:
        """Connect and read until the connection ends; it never raises for what a network does."""
        try:
            socket = await self._connected()
        except (*LOST, ValueError) as error:
            log.warning("can't connect to %s: %s", self._venue.url, error or type(error).__name__)
            return End.LOST
        beside = [
            asyncio.create_task(self._subscribe(socket)),
            asyncio.create_task(self._watch(socket)),
        ]
        try:
            return await self._read(socket)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await _closed(socket)

    async def _connected(self) -> Socket:
        async with asyncio.timeout(self._settings.extract.connect_timeout_seconds):
            return await self._session.ws_connect(
                self._venue.url,
                autoping=False,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
                max_msg_size=LARGEST_FRAME_BYTES,
                # byte for byte, also where it is no UTF-8
                decode_text=False,
            )

    async def _read(self, socket: Socket) -> End:
        intake, venue, kind = self._intake, self._venue, aiohttp.WSMsgType
        now = asyncio.get_running_loop().time
        self._heard_seconds = now()
        read = 0
        while True:
            if not intake.room.is_set():
                await intake.room.wait()
            message = await socket.receive()
            self._heard_seconds = now()
            if message.type is kind.TEXT or message.type is kind.BINARY:
                if said := intake.take(venue, message.data):
                    await self._heed(said, socket)
            elif message.type is kind.PING:
                # the pace of subscriptions leaves room for it
                await socket.pong(message.data)
            elif message.type is not kind.PONG:
                return self._end or _end_of(message)
            read += 1
            if read % FRAMES_AT_A_TIME == 0:
                await asyncio.sleep(0)

    async def _heed(self, said: Said, socket: Socket) -> None:
        if said.kind == "test_request":
            await socket.send_str(self._venue.sign_of_life())
        elif said.kind == "shutdown":
            log.info("%s will close a connection: the next one is opened", self._venue.url)
            self.leaving.set()
        elif said.kind == "answer":
            self._answered(said)

    def _answered(self, said: Said) -> None:
        asked = self._asked.pop(said.number, ())
        granted = said.granted
        refused = [one for one in asked if granted is not None and one.channel not in granted]
        if said.error and len(refused) > 1:
            # one of them spoils the message: each half is asked for again
            middle = len(refused) // 2
            self._to_ask.put_nowait(refused[:middle])
            self._to_ask.put_nowait(refused[middle:])
        else:
            for stream in refused:
                self._counters.of(stream).refused = True
                log.error("%s refuses %s: %s", self._venue.url, stream.channel, said.error or "-")
        if not self._asked and self._to_ask.empty():
            self.subscribed.set()

    async def _subscribe(self, socket: Socket) -> None:
        size = self._venue.limits.channels
        for n in range(0, len(self._streams), size):
            self._to_ask.put_nowait(self._streams[n : n + size])
        with suppress(*LOST):
            for text in self._venue.greeting():
                await self._turns.take()
                await socket.send_str(text)
            while True:
                part = await self._to_ask.get()
                self._number += 1
                self._asked[self._number] = part
                await self._turns.take()
                await socket.send_str(self._venue.subscription(self._number, part))

    async def _watch(self, socket: Socket) -> None:
        """Ask a silent connection for a sign of life, and end one that gives none."""
        stale_seconds = self._settings.live.stale_seconds
        now = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(stale_seconds / 4)
            silent_seconds = now() - self._heard_seconds
            if not self._intake.room.is_set():
                # nobody reads: its silence is ours
                self._heard_seconds = now()
            elif silent_seconds >= stale_seconds:
                self._end = End.STALE
                await _closed(socket)
                return
            elif silent_seconds >= stale_seconds / 2:
                with suppress(*LOST):
                    await socket.ping()


async def _closed(socket: Socket) -> None:
    """Say farewell; a peer that goes on sending has its connection dropped soon."""
    with suppress(*LOST):
        async with asyncio.timeout(CLOSE_SECONDS):
            await socket.close()


def _end_of(message: aiohttp.WSMessage) -> End:
    """Return why a connection gave nothing more to read."""
    ended = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING)
    return End.CLOSED if message.type in ended else End.LOST
