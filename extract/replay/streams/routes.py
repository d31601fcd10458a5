"""Puts the streams behind websocket routes, on the prefixes of the segments that have them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from aiohttp import WSMessage, WSMsgType, web

from extract.replay.engine import Engine
from extract.replay.exchange_clock import COINM, DERIBIT, SPOT, USDM
from extract.replay.limits import CreditBucket
from extract.replay.request_log import LoggedRequest
from extract.replay.streams import binance_commands
from extract.replay.streams.admission import REFUSED, Admission
from extract.replay.streams.connection import Connection
from extract.replay.streams.deribit_calls import DeribitCalls
from extract.replay.streams.heartbeat import DeribitKeeper
from extract.replay.streams.keeping import BinanceKeeper
from extract.replay.streams.pacing import Keeper, Pacer

OPENED = 101
Answering = Callable[[str], Awaitable[None]]


def add_streams(app: web.Application, engine: Engine) -> None:
    """Add the routes of all streams: Binance's raw and combined ones, and Deribit's JSON-RPC."""
    entrance = _Entrance(engine)
    for segment in (SPOT, USDM, COINM):
        app.router.add_get(f"/{segment}/ws", entrance.binance(segment, is_wrapped=False))
        raw = entrance.binance(segment, is_wrapped=False)
        app.router.add_get(f"/{segment}/ws/{{streams:.*}}", raw)
        app.router.add_get(f"/{segment}/stream", entrance.binance(segment, is_wrapped=True))
    app.router.add_get(f"/{DERIBIT}/ws/api/v2", entrance.deribit)
    app.on_shutdown.append(entrance.shut)


class _Accepted(NamedTuple):
    """A client that was let in."""

    socket: web.WebSocketResponse
    connection: Connection


class _Entrance:
    """Takes connections in, and keeps them until they end."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._rules = engine.rules.streams
        self._pacer = Pacer(engine)
        self._admission = Admission(engine)
        self._credits = CreditBucket(self._rules.subscribe_credits, engine.rules.seconds)

    async def shut(self, _: web.Application) -> None:
        self._pacer.hang_up()

    def binance(
        self, segment: str, *, is_wrapped: bool
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Return the handler of a segment's raw streams, or of its combined ones."""

        async def enter(request: web.Request) -> web.StreamResponse:
            named = request.match_info.get("streams", request.query.get("streams", ""))
            streams = [name for name in named.split("/") if name]
            if len(streams) > self._rules.most_streams:
                return web.Response(status=400, text="too many streams")
            accepted = await self._accept(request, segment, is_wrapped=is_wrapped)
            if not isinstance(accepted, _Accepted):
                return accepted
            connection = accepted.connection
            connection.subscribe(streams)

            async def answer(text: str) -> None:
                connection.answer(binance_commands.answer(connection, text, self._rules))

            keeper = BinanceKeeper(
                connection,
                self._rules,
                self._engine.rules.seconds,
                lambda: self._engine.clocks.instant(segment).millis,
            )
            return await self._keep(accepted, keeper, answer)

        return enter

    async def deribit(self, request: web.Request) -> web.StreamResponse:
        accepted = await self._accept(request, DERIBIT, is_wrapped=False)
        if not isinstance(accepted, _Accepted):
            return accepted
        connection = accepted.connection
        keeper = DeribitKeeper(connection, self._engine.rules.seconds)
        calls = DeribitCalls(self._engine, self._pacer, self._credits, connection, keeper)
        return await self._keep(accepted, keeper, calls.answer)

    async def _accept(
        self, request: web.Request, segment: str, *, is_wrapped: bool
    ) -> _Accepted | web.StreamResponse:
        """Return the open socket and its connection, or what refuses them."""
        path = request.path.removeprefix(f"/{segment}")
        status = self._admission.refusal(segment, path, self._pacer.count(segment))
        fault = "refused_connection" if status == REFUSED else None
        logged = LoggedRequest(segment, path, request.query_string, status or OPENED, fault)
        self._engine.log.add(logged)
        if status is not None:
            return web.Response(status=status)
        # Frames are written past this object, so it neither answers pings nor compresses.
        socket = web.WebSocketResponse(autoping=False, compress=False)
        await socket.prepare(request)
        if request.transport is None:
            return socket
        connection = Connection(
            request.transport, segment, self._rules, self._engine.faults, is_wrapped=is_wrapped
        )
        return _Accepted(socket, connection)

    async def _keep(
        self, accepted: _Accepted, keeper: Keeper, answer: Answering
    ) -> web.StreamResponse:
        self._pacer.add(accepted.connection, keeper)
        try:
            async for message in accepted.socket:
                await _take(accepted.connection, keeper, message, answer)
        finally:
            self._pacer.remove(accepted.connection)
        return accepted.socket


async def _take(
    connection: Connection, keeper: Keeper, message: WSMessage, answer: Answering
) -> None:
    keeper.heard()
    if message.type is WSMsgType.TEXT:
        await answer(message.data)
    elif message.type is WSMsgType.PING:
        connection.pong(bytes(message.data))
    elif message.type is WSMsgType.PONG:
        keeper.ponged(bytes(message.data))
