"""CCXT's websocket client of an exchange: it connects, subscribes, pings; frames are taken raw."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import aiohttp
import ccxt
import ccxt.pro

from extract.live.ccxt_streams import calls, market
from extract.live.connecting import close
from extract.live.pacing import Turns
from extract.live.stream import Stream
from lake.settings import Settings

FAULTS = (ccxt.BaseError, aiohttp.ClientError, OSError)
MINUTE = "1m"
#: CCXT connects to raw streams; this makes their frames name the stream, as those of combined
#: ones do (binance-spot-api-docs, web-socket-streams.md, "Setting properties").
COMBINED_NUMBER = 1_000_000_001
COMBINED = {"method": "SET_PROPERTY", "params": ["combined", True], "id": COMBINED_NUMBER}
#: CCXT ends a connection whose pongs have stayed away for two of its pings and a third.
PINGS_UNTIL_STALE = 3


class CcxtSocket:
    """One connection of one exchange through CCXT.

    CCXT reads no frame: it would make floats of the numbers, keep the last thousand trades, and
    stop reading for ever at a frame that is no UTF-8.

    Args:
        session: of all connections.
        settings: how patient to be.
        streams: all that may be asked for; of one exchange and kind.
        url: where the exchange's sockets are.
        take: is given each frame, byte for byte.
        asked: is told each message that subscribes: its number and channels.
        room: cleared where nothing may be read.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        settings: Settings,
        streams: Sequence[Stream],
        *,
        url: str,
        take: Callable[[bytes], None],
        asked: Callable[[int, Sequence[str]], None],
        room: asyncio.Event,
    ) -> None:
        self._take = take
        self._asked = asked
        self._room = room
        self._ping_seconds = settings.live.stale_seconds / PINGS_UNTIL_STALE
        self._url = url
        self._is_closed = False
        self._exchange = self._made(session, settings, streams[0].exchange)
        markets = {one.instrument: market(one.kind, one.instrument) for one in streams}
        self._exchange.set_markets(list(markets.values()))

    async def watch(self, streams: Sequence[Stream], turns: Turns) -> None:
        """Subscribe, and wait until the connection is lost: it never returns.

        Raises:
            ccxt.BaseError: the connection is lost, silent, or was never made.
        """
        async with asyncio.TaskGroup() as group:
            for params, part in calls(streams):
                await turns.take()
                group.create_task(self._call(dict(params), part))

    async def close(self) -> None:
        """Close the connection; one that is about to be made is closed when it is."""
        self._is_closed = True
        for client in list((self._exchange.clients or {}).values()):
            if client.connection is not None:
                await close(client.connection)
        await self._exchange.close()

    async def _call(self, params: dict[str, Any], streams: Sequence[Stream]) -> None:
        names = [stream.instrument for stream in streams]
        if params:
            await self._exchange.watch_trades_for_symbols(names, params=params)
        else:
            await self._exchange.watch_ohlcv_for_symbols([[name, MINUTE] for name in names])

    def _made(self, session: aiohttp.ClientSession, settings: Settings, name: str) -> Any:
        """Return CCXT's exchange with what it leaves to its users to change."""
        patience_ms = max(1.0, settings.extract.connect_timeout_seconds) * 1000
        options = {
            # one connection takes them all: how many is for the limits of our own feeds
            "streamLimits": dict.fromkeys(("spot", "linear", "inverse"), 1),
            "subscriptionLimitByStream": dict.fromkeys(("spot", "linear", "inverse"), 1 << 20),
            "ws": {"compress": 0},
        }
        streaming = {"keepAlive": self._ping_seconds * 1000, "connectionTimeout": patience_ms}
        given = {"session": session, "options": options, "streaming": streaming}
        exchange = getattr(ccxt.pro, name)({**given, "enableRateLimit": False})
        exchange.timeout_on_exit = 0
        # addresses are the settings' alone: CCXT would put a category into that of USD-M
        exchange.get_ws_url = lambda *_: self._url.removesuffix("/0")
        exchange.urls["api"] = {**exchange.urls["api"], "ws": self._url}
        self._hook(exchange)
        return exchange

    def _hook(self, exchange: Any) -> None:
        """Take the frames before CCXT reads them, and see what it subscribes to."""
        make_client, watch_multiple = exchange.client, exchange.watch_multiple

        def client(url: str) -> Any:
            found = make_client(url)
            found.handle_text_or_binary_message = self._took
            found.receive = lambda: self._received(found)
            return found

        def watch(
            url: str, hashes: Any, message: Mapping[str, Any], subscribed: Any, *rest: Any
        ) -> Any:
            named = message["params"]
            self._asked(message["id"], named["channels"] if isinstance(named, dict) else named)
            # what was refused is asked for again: CCXT would take it for granted
            for one in subscribed:
                exchange.client(url).subscriptions.pop(one, None)
            return watch_multiple(url, hashes, message, subscribed, *rest)

        exchange.client, exchange.watch_multiple = client, watch
        exchange.on_connected = self._connected

    def _took(self, data: str | bytes) -> None:
        # text is UTF-8 or the connection has ended: encoding it gives back the bytes
        self._take(data.encode() if isinstance(data, str) else data)

    async def _received(self, client: Any) -> Any:
        """Receive the next frame once there is room; a silence that is ours ends nothing."""
        while not self._room.is_set():
            client.lastPong = self._exchange.milliseconds()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._ping_seconds):
                    await self._room.wait()
        return await client.connection.receive()

    def _connected(self, client: Any, *_: Any) -> None:
        """Greet the exchange before CCXT's own first message, which waits for its turn."""
        greeting = client.close() if self._is_closed else None
        if greeting is None and self._exchange.id.startswith("binance"):
            greeting = client.send(COMBINED)
        if greeting is not None:
            self._greeting = asyncio.ensure_future(greeting)
