"""Puts the streams behind websocket routes, on the prefixes of the segments that have them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import WSMessage, WSMsgType, web

from extract.replay.engine import Engine
from extract.replay.exchange_clock import COINM, DERIBIT, SPOT, USDM
from extract.replay.streams import binance_commands
from extract.replay.streams.connection import Connection
from extract.replay.streams.deribit_calls import DeribitCalls
from extract.replay.streams.pacing import Pacer

Answering = Callable[[Connection, str], Awaitable[None]]


def add_streams(app: web.Application, engine: Engine) -> None:
    """Add the routes of all streams: Binance's raw and combined ones, and Deribit's JSON-RPC."""
    pacer = Pacer(engine)
    for segment in (SPOT, USDM, COINM):
        raw = _Entrance(engine, pacer, segment, is_wrapped=False)
        combined = _Entrance(engine, pacer, segment, is_wrapped=True)
        app.router.add_get(f"/{segment}/ws", raw.enter_binance)
        app.router.add_get(f"/{segment}/ws/{{streams:.*}}", raw.enter_binance)
        app.router.add_get(f"/{segment}/stream", combined.enter_binance)
    deribit = _Entrance(engine, pacer, DERIBIT, is_wrapped=False)
    app.router.add_get(f"/{DERIBIT}/ws/api/v2", deribit.enter_deribit)

    async def hang_up(_: web.Application) -> None:
        pacer.hang_up()

    app.on_shutdown.append(hang_up)


class _Entrance:
    """Takes connections of one segment in, and keeps them until they end."""

    def __init__(self, engine: Engine, pacer: Pacer, segment: str, *, is_wrapped: bool) -> None:
        self._engine = engine
        self._pacer = pacer
        self._segment = segment
        self._is_wrapped = is_wrapped
        self._deribit = DeribitCalls(engine, pacer)

    async def enter_binance(self, request: web.Request) -> web.StreamResponse:
        named = request.match_info.get("streams", request.query.get("streams", ""))
        streams = [name for name in named.split("/") if name]
        return await self._keep(request, streams, self._answer_binance)

    async def enter_deribit(self, request: web.Request) -> web.StreamResponse:
        return await self._keep(request, [], self._deribit.handle)

    async def _keep(
        self, request: web.Request, streams: list[str], answer: Answering
    ) -> web.StreamResponse:
        # Frames are written past this object, so it neither answers pings nor compresses.
        socket = web.WebSocketResponse(autoping=False, compress=False)
        await socket.prepare(request)
        rules, faults = self._engine.rules.streams, self._engine.faults
        if request.transport is None:
            return socket
        connection = Connection(
            request.transport, self._segment, rules, faults, is_wrapped=self._is_wrapped
        )
        connection.subscribe(streams)
        self._pacer.add(connection)
        try:
            async for message in socket:
                await _take(connection, message, answer)
        finally:
            self._pacer.remove(connection)
        return socket

    async def _answer_binance(self, connection: Connection, text: str) -> None:
        rules = self._engine.rules.streams
        connection.answer(binance_commands.answer(connection, text, rules))


async def _take(connection: Connection, message: WSMessage, answer: Answering) -> None:
    if message.type is WSMsgType.TEXT:
        await answer(connection, message.data)
    elif message.type is WSMsgType.PING:
        connection.pong(message.data)
