"""What connections of every make have in common: how they end, and what a feed wants of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum
from typing import Any, Protocol, TypeAlias

import aiohttp

from extract.live.counters import Counters
from extract.live.intake import Intake
from extract.live.pacing import Turns
from extract.live.stream import Stream
from extract.live.venue import Venue
from lake.settings import Settings

#: How long a farewell may take.
CLOSE_SECONDS = 0.5
Socket: TypeAlias = aiohttp.ClientWebSocketResponse[Any]
LOST = (aiohttp.ClientError, OSError, asyncio.TimeoutError)


class End(Enum):
    """Why a connection has ended."""

    LOST = "lost"
    STALE = "stale"
    CLOSED = "closed by the exchange"


class Connected(Protocol):
    """A connection as a feed sees it.

    Attributes:
        subscribed: set when every subscription has been answered.
        leaving: set when the exchange has said that it will close the connection.
    """

    subscribed: asyncio.Event
    leaving: asyncio.Event

    async def run(self) -> End:
        """Connect and read until the connection ends; it never raises for what a network does."""


class Connect(Protocol):
    """Makes a connection of a venue for some of its streams."""

    def __call__(
        self,
        session: aiohttp.ClientSession,
        settings: Settings,
        venue: Venue,
        streams: Sequence[Stream],
        *,
        intake: Intake,
        counters: Counters,
        turns: Turns,
    ) -> Connected:
        """Return a connection that has not begun."""


async def close(socket: Socket) -> None:
    """Say farewell; a peer that goes on sending has its connection dropped soon."""
    with suppress(*LOST):
        async with asyncio.timeout(CLOSE_SECONDS):
            await socket.close()
