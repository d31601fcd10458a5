"""`/api/v1/live`: candles as they are published, by server-sent events and by websocket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Query, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lake.errors import ServeError
from serve.api.answering import PREFIX, described, serving_of
from serve.api.bars import require_bars
from serve.api.errors import RefusedError, invalid, refusal_of
from serve.api.questions import LiveQuestion
from serve.api.replies import BarRow
from serve.api.serving import Serving
from serve.api.watching import Event, Follower, Topic, Watcher, too_slow
from serve.records import Series

router = APIRouter(prefix=f"{PREFIX}/live", tags=["live"])
HEARTBEAT_SECONDS = 15.0
#: How often one socket may subscribe to something.
MOST_SUBSCRIPTIONS = 50
#: RFC 6455's codes: the server goes away; a message can't be read; come again later.
GOING_AWAY, UNREADABLE, TRY_AGAIN = 1001, 1007, 1013


class Subscription(BaseModel):
    """What a socket sends: what it wants to follow from now on, beside what it follows."""

    model_config = ConfigDict(extra="forbid")

    subscribe: list[LiveQuestion] = Field(min_length=1, max_length=MOST_SUBSCRIPTIONS)


@router.get(
    "/sse",
    summary="Candles as they are published, by server-sent events",
    response_model=None,
    response_class=StreamingResponse,
    responses={
        **{
            k: v for k, v in described(BarRow, formats=False, errors=(404, 409)).items() if k != 304
        },
        200: {"content": {"text/event-stream": {}}, "description": "Events `bar`, `publication`"},
    },
)
async def sse(
    request: Request,
    question: Annotated[LiveQuestion, Query()],
    last_event_id: Annotated[str | None, Header(max_length=20)] = None,
) -> Response:
    """Event `bar`: one bar, new or revised, the newest at once; event `publication`: a number.

    The id of a bar is its start: a browser that was cut off says it, and gets what it missed, up
    to 500 bars. A comment comes every 15 seconds where nothing else does.
    """
    watcher: Watcher = request.app.state.watcher
    series = await _series(serving_of(request), question)
    since = int(last_event_id) if last_event_id and last_event_id.isdecimal() else None
    watcher.require_room()
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    events = _stream(watcher, series, question.interval, since)
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


async def _series(serving: Serving, question: LiveQuestion) -> Series:
    series = await serving.find(question.exchange, question.instrument, kind=question.kind)
    require_bars(series)
    return series


async def _stream(
    watcher: Watcher, series: Series, interval: str, since: int | None
) -> AsyncIterator[bytes]:
    follower = watcher.join()
    try:
        follower.give(await watcher.published())
        await watcher.follow(follower, series, interval, since)
        while not follower.is_dropped and not watcher.stopping.is_set():
            event = await _next(watcher, follower)
            yield b": heartbeat\n\n" if event is None else _as_sse(event)
    finally:
        watcher.leave(follower)


def _as_sse(event: Event) -> bytes:
    if event.topic is None:
        return b"event: publication\ndata: " + event.data + b"\n\n"
    return f"event: bar\nid: {event.place}\ndata: ".encode() + event.data + b"\n\n"


async def _next(watcher: Watcher, follower: Follower) -> Event | None:
    """Return the next event; None after the time of a heartbeat, or where the server stops."""
    if not follower.waiting.empty():
        return follower.waiting.get_nowait()
    got = asyncio.ensure_future(follower.waiting.get())
    stopped = asyncio.ensure_future(watcher.stopping.wait())
    try:
        await asyncio.wait(
            (got, stopped), timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        return got.result() if got.done() else None
    finally:
        got.cancel()
        stopped.cancel()


@router.websocket("/ws")
async def ws(socket: WebSocket) -> None:
    """Follow what a socket subscribes to; see docs/api.md for the messages."""
    watcher: Watcher = socket.app.state.watcher
    serving: Serving = socket.app.state.serving
    await socket.accept()
    try:
        follower = watcher.join()
    except RefusedError as error:
        await _end(socket, error, TRY_AGAIN)
        return
    names: dict[Topic, Mapping[str, Any]] = {}
    reading = asyncio.ensure_future(_read(socket, serving, follower, names))
    writing = asyncio.ensure_future(_write(socket, watcher, follower, names))
    try:
        await asyncio.wait((reading, writing), return_when=asyncio.FIRST_COMPLETED)
    finally:
        reading.cancel()
        writing.cancel()
        await asyncio.gather(reading, writing, return_exceptions=True)
        watcher.leave(follower)


async def _read(
    socket: WebSocket,
    serving: Serving,
    follower: Follower,
    names: dict[Topic, Mapping[str, Any]],
) -> None:
    watcher: Watcher = socket.app.state.watcher
    follower.give(await watcher.published())
    while True:
        try:
            asked = Subscription.model_validate_json(await socket.receive_text())
            if len(names) + len(asked.subscribe) > MOST_SUBSCRIPTIONS:
                raise invalid("subscribe", f"is at most {MOST_SUBSCRIPTIONS} series a socket")
            for question in asked.subscribe:
                series = await _series(serving, question)
                head = {"exchange": series.exchange, "kind": series.kind}
                head |= {"instrument": series.instrument, "interval": question.interval}
                names[Topic(series.series_id, question.interval)] = head
                await watcher.follow(follower, series, question.interval)
        except WebSocketDisconnect:
            return
        except (ValidationError, KeyError):
            hint = 'Send {"subscribe":[{"exchange":…,"kind":…,"instrument":…,"interval":…}]}.'
            await _end(socket, invalid("message", "can't be read", hint=hint), UNREADABLE)
            return
        except ServeError as error:
            await socket.send_text(_error(refusal_of(error)).decode())


async def _write(
    socket: WebSocket,
    watcher: Watcher,
    follower: Follower,
    names: Mapping[Topic, Mapping[str, Any]],
) -> None:
    try:
        while not follower.is_dropped and not watcher.stopping.is_set():
            event = await _next(watcher, follower)
            await socket.send_text(_as_message(event, names).decode())
        if follower.is_dropped:
            await _end(socket, too_slow(), TRY_AGAIN)
        else:
            await socket.close(GOING_AWAY, "the server ends")
    except (WebSocketDisconnect, RuntimeError):
        # the client has gone between two messages
        return


def _as_message(event: Event | None, names: Mapping[Topic, Mapping[str, Any]]) -> bytes:
    if event is None:
        return orjson.dumps({"type": "heartbeat", "time": time.time_ns() // 1_000_000})
    if event.topic is None:
        return orjson.dumps({"type": "publication", **orjson.loads(event.data)})
    head = names.get(event.topic, {})
    return orjson.dumps({"type": "bar", **head, "bar": orjson.Fragment(event.data)})


def _error(error: RefusedError) -> bytes:
    said = {"code": error.code, "message": error.what, "hint": error.hint}
    return orjson.dumps({"type": "error", "error": said})


async def _end(socket: WebSocket, error: RefusedError, code: int) -> None:
    """Say why, and close; the reason of a close frame is 123 bytes at most."""
    await socket.send_text(_error(error).decode())
    await socket.close(code, error.what[:60])
