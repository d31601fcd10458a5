"""Short ways to listen to the streams of a replay exchange, with a real websocket client."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from aiohttp import ClientSession, ClientWebSocketResponse, WSMessage, WSMsgType

from extract.replay.engine import Rules
from extract.replay.exchange import ReplayExchange
from extract.replay.exchange_clock import Live

T = TypeVar("T")
Socket = ClientWebSocketResponse
WAIT_SECONDS = 20.0
ENDS = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)
#: Shortly before the recorded trades, and before the generated ones.
RECORDED = "2025-03-25T23:06:55Z"
GENERATED = "2024-08-08T23:55:55Z"


class Watch:
    """A clock of seconds that a test turns by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Held:
    """A clock of seconds that runs once it is released, when the listener is there."""

    def __init__(self) -> None:
        self._released_at: float | None = None

    def __call__(self) -> float:
        return 0.0 if self._released_at is None else time.monotonic() - self._released_at

    def release(self) -> None:
        self._released_at = self._released_at or time.monotonic()


@contextmanager
def live(start: str, speed: int = 20) -> Iterator[ReplayExchange]:
    """Run an exchange whose clock runs from a moment on, once `release` is called."""
    rules = Rules(live=Live(datetime.fromisoformat(start), speed), seconds=Held())
    with ReplayExchange(rules) as exchange:
        yield exchange


def release(exchange: ReplayExchange) -> None:
    """Let the clock of a `live` exchange run."""
    held = exchange.engine.rules.seconds
    assert isinstance(held, Held)
    held.release()


def talk(url: str, conversation: Callable[[Socket], Awaitable[T]], **options: Any) -> T:
    """Open a websocket and return what the conversation on it returns."""

    async def run() -> T:
        async with ClientSession() as session, session.ws_connect(_ws(url), **options) as socket:
            return await asyncio.wait_for(conversation(socket), WAIT_SECONDS)

    return asyncio.run(run())


def _ws(url: str) -> str:
    return url.replace("http://", "ws://", 1)


async def ask(socket: Socket, **command: Any) -> Any:
    """Send a command and return the first message after it that carries an answer."""
    await socket.send_json(command)
    while True:
        message = exact(await socket.receive())
        if "e" not in message and "stream" not in message and "method" not in message:
            return message


def exact(message: WSMessage) -> Any:
    assert message.type is WSMsgType.TEXT, message
    return json.loads(message.data, parse_float=str)


def listen(exchange: ReplayExchange, url: str, count: int) -> list[Any]:
    """Return the first messages of Binance's streams after the clock was released."""

    async def conversation(socket: Socket) -> list[Any]:
        await ask(socket, method="LIST_SUBSCRIPTIONS", id=0)
        release(exchange)
        return [exact(await socket.receive()) for _ in range(count)]

    return talk(url, conversation)


@dataclass
class Heard:
    """All that came until a connection ended, and how it ended."""

    messages: list[Any] = field(default_factory=list)
    binary: list[bytes] = field(default_factory=list)
    close_code: int | None = None


async def hear_out(socket: Socket) -> Heard:
    """Listen until the exchange ends the connection."""
    heard = Heard()
    while True:
        message = await socket.receive()
        if message.type in ENDS:
            heard.close_code = socket.close_code
            return heard
        if message.type is WSMsgType.BINARY:
            heard.binary.append(message.data)
        else:
            heard.messages.append(exact(message))
