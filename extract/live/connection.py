"""One websocket connection: it subscribes at the allowed pace, reads, and notices its own death."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress

import aiohttp

from extract.live.connecting import CLOSE_SECONDS, LOST, End, Socket, close
from extract.live.counters import Counters
from extract.live.intake import Intake
from extract.live.pacing import Turns
from extract.live.stream import Said, Stream
from extract.live.subscribing import Subscribing
from extract.live.venue import Venue
from lake.settings import Settings

log = logging.getLogger(__name__)

#: After so many frames others get their turn, however many more wait to be read.
FRAMES_AT_A_TIME = 256
#: No frame of ours is larger; a larger one ends the connection.
LARGEST_FRAME_BYTES = 32 << 20


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
        self.leaving = asyncio.Event()
        self._session = session
        self._settings = settings
        self._venue = venue
        self._intake = intake
        self._turns = turns
        self._subscribing = Subscribing(venue, streams, counters)
        self.subscribed = self._subscribing.done
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
            await close(socket)

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
            self._subscribing.answered(said)

    async def _subscribe(self, socket: Socket) -> None:
        with suppress(*LOST):
            for text in self._venue.greeting():
                await self._turns.take()
                await socket.send_str(text)
            while True:
                part = await self._subscribing.to_ask.get()
                self._number += 1
                self._subscribing.asked(self._number, part)
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
                await close(socket)
                return
            elif silent_seconds >= stale_seconds / 2:
                with suppress(*LOST):
                    await socket.ping()


def _end_of(message: aiohttp.WSMessage) -> End:
    """Return why a connection gave nothing more to read."""
    ended = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING)
    return End.CLOSED if message.type in ended else End.LOST
