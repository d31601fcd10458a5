"""A tiny real exchange on loopback: spot trades over websockets by script, and by id over REST."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Self

from aiohttp import WSMsgType, web

from lake.settings import Settings, load_settings
from tests.live.conftest import HURRIED

#: The time of trade 0; one trade a second.
BEGAN_MS = 1_788_000_000_000
STREAM = "btcusdt@trade"
NOTHING_SAID = b'{"result":null,"id":%d}'


def frame(trade_id: int, stream: str = STREAM) -> bytes:
    """Return a trade as the combined stream sends it."""
    time_ms = BEGAN_MS + 1000 * trade_id
    event = {
        "e": "trade", "E": time_ms + 1, "s": stream.partition("@")[0].upper(), "t": trade_id,
        "p": "1.10", "q": "2", "T": time_ms, "m": True, "M": True,
    }  # fmt: skip
    data = json.dumps(event, separators=(",", ":"))
    return f'{{"stream":"{stream}","data":{data}}}'.encode()


class Line:
    """One connection, as a script serves it."""

    def __init__(self, number: int, socket: web.WebSocketResponse, asked: list[Any]) -> None:
        self.number = number
        self.socket = socket
        self.asked = asked

    async def send(self, *frames: bytes) -> None:
        """Send text frames."""
        for one in frames:
            await self.socket.send_frame(one, WSMsgType.TEXT)

    async def trades(self, first: int, last: int, *, stream: str = STREAM) -> None:
        """Send the trades of these ids, both included."""
        await self.send(*[frame(one, stream) for one in range(first, last + 1)])

    async def hear(self, *, answer: bytes | None = NOTHING_SAID) -> Any:
        """Take a message of the client's and answer it; None where it has gone."""
        message = await self.socket.receive()
        if message.type is not WSMsgType.TEXT:
            return None
        asked = json.loads(message.data)
        self.asked.append(asked)
        if answer is not None:
            await self.send(answer % asked["id"] if b"%d" in answer else answer)
        return asked

    async def linger(self) -> None:
        """Stay open until the client goes; its pings are answered."""
        while not self.socket.closed:
            message = await self.socket.receive()
            if message.type is WSMsgType.PING:
                await self.socket.pong(message.data)
            elif message.type is not WSMsgType.TEXT and message.type is not WSMsgType.PONG:
                return


Script = Callable[[Line], Awaitable[None]]


class SmallExchange:
    """Serves a script to each connection, and all trades up to `newest` over REST.

    Attributes:
        asked: what clients sent over websockets.
        paths: what was asked over REST.
        newest: the highest id that exists.
    """

    def __init__(self, script: Script, *, newest: int = -1) -> None:
        self.asked: list[Any] = []
        self.paths: list[str] = []
        self.newest = newest
        self.refuses_rest = False
        self.stalls_rest = False
        self.connections = 0
        self._script = script
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._port = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    def settings(self, *overrides: str) -> Settings:
        """Return settings that point at it."""
        named = [f"exchanges.binance.spot.{name}={self.url}" for name in ("rest_url", "ws_url")]
        return load_settings("replay", [*named, *HURRIED, *overrides], environ={})

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        app = web.Application()
        app.router.add_get("/stream", self._stream)
        app.router.add_get("/ws/{number}", self._stream)
        app.router.add_get("/api/v3/{name}", self._rest)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._port = runner.addresses[0][1]
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=False, compress=False, timeout=0.2)
        await socket.prepare(request)
        self.connections += 1
        try:
            await self._script(Line(self.connections, socket, self.asked))
        except ConnectionError:
            return socket  # the client has gone
        return socket

    async def _rest(self, request: web.Request) -> web.Response:
        name, query = request.match_info["name"], request.query
        self.paths.append(f"{name}?{request.query_string}")
        if self.stalls_rest:
            await asyncio.sleep(20)
        if self.refuses_rest:
            return web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)
        if name == "time":
            return web.json_response({"serverTime": BEGAN_MS + 1000 * self.newest + 5})
        limit = int(query.get("limit", 500))
        first = int(query.get("fromId", max(0, self.newest - limit + 1)))
        rows = range(first, min(first + limit, self.newest + 1))
        return web.json_response([_row(one) for one in rows])


def _row(trade_id: int) -> dict[str, object]:
    time_ms = BEGAN_MS + 1000 * trade_id
    return {
        "id": trade_id, "price": "1.10", "qty": "2", "quoteQty": "2.2", "time": time_ms,
        "isBuyerMaker": True, "isBestMatch": True,
    }  # fmt: skip
