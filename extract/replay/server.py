"""Puts the replay exchange behind HTTP: routing by prefix, delivery, and its own control paths."""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

from extract.replay.answer import Answer, Query, json_answer
from extract.replay.engine import Engine, Outcome
from extract.replay.exchange_clock import SEGMENTS
from extract.replay.faults import Fault, fault_from
from extract.replay.holdings import as_documents
from extract.replay.streams.routes import add_streams
from lake.clock import to_iso
from lake.errors import UsageError

# Longest first, so that no segment hides another that begins alike.
ROUTED = sorted(SEGMENTS, key=len, reverse=True)


def build_app(engine: Engine) -> web.Application:
    """Return the HTTP application of one replay exchange.

    Every segment lives under its own prefix, its streams (websocket) too; `/replay/…` is the
    control desk.
    """
    app = web.Application()
    app.router.add_get("/replay/holdings", _Desk(engine).holdings)
    app.router.add_get("/replay/faults", _Desk(engine).open_faults)
    app.router.add_post("/replay/faults", _Desk(engine).order_faults)
    app.router.add_delete("/replay/faults", _Desk(engine).clear_faults)
    app.router.add_get("/replay/requests", _Desk(engine).requests)
    app.router.add_delete("/replay/requests", _Desk(engine).clear_requests)
    add_streams(app, engine)
    app.router.add_route("*", "/{path:.*}", _Counter(engine).handle)
    return app


class _Counter:
    """The counter where the exchanges' own paths are served."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def handle(self, request: web.Request) -> web.StreamResponse:
        query = await self._query(request)
        if query is None:
            text = f"no segment at {request.path}; segments: {', '.join(SEGMENTS)}"
            return _response(json_answer({"error": text}, status=404))
        outcome = self._engine.serve(query, request.query_string)
        if outcome.stall_seconds:
            await asyncio.sleep(outcome.stall_seconds)
        return await _cut(request, outcome) if outcome.cut else _response(outcome.answer)

    async def _query(self, request: web.Request) -> Query | None:
        segment = next((s for s in ROUTED if f"{request.path}/".startswith(f"/{s}/")), None)
        if segment is None:
            return None
        return self._engine.query(
            segment,
            request.path.removeprefix(f"/{segment}"),
            parameters=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
        )


class _Desk:
    """The control desk: what is held, which faults are open, what was asked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def holdings(self, _: web.Request) -> web.Response:
        clocks = {segment: to_iso(now) for segment, now in self._engine.clocks.moments().items()}
        held = as_documents(self._engine.holdings())
        return _response(json_answer({"clocks": clocks, "holdings": held}))

    async def open_faults(self, _: web.Request) -> web.Response:
        board = self._engine.faults
        return _response(json_answer({"left": board.left(), "served": board.served}))

    async def order_faults(self, request: web.Request) -> web.Response:
        try:
            faults = _faults(await request.read())
        except UsageError as error:
            return _response(json_answer({"error": str(error)}, status=400))
        self._engine.faults.add(faults)
        return await self.open_faults(request)

    async def clear_faults(self, request: web.Request) -> web.Response:
        self._engine.faults.clear()
        return await self.open_faults(request)

    async def requests(self, _: web.Request) -> web.Response:
        return _response(json_answer(self._engine.log.document()))

    async def clear_requests(self, request: web.Request) -> web.Response:
        self._engine.log.clear()
        return await self.requests(request)


def _faults(body: bytes) -> list[Fault]:
    try:
        entries = json.loads(body)
    except ValueError as error:
        raise UsageError("the faults are no JSON", hint='Send [{"kind": "html"}].') from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UsageError("the faults are no list of objects", hint='Send [{"kind": "html"}].')
    return [fault_from(entry) for entry in entries]


def _response(answer: Answer) -> web.Response:
    headers = {"Content-Type": answer.content_type, **answer.headers}
    return web.Response(body=answer.body, status=answer.status, headers=headers)


async def _cut(request: web.Request, outcome: Outcome) -> web.StreamResponse:
    """Announce the whole body, send half of it and hang up."""
    body = outcome.answer.body
    headers = {"Content-Type": outcome.answer.content_type, "Content-Length": str(len(body))}
    response = web.StreamResponse(status=outcome.answer.status, headers=headers)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response
