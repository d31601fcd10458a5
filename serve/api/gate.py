"""What every request passes: who asks, how often, and what goes on every answer."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from lake.errors import ServeError
from serve.api.answering import ROWS
from serve.api.errors import JSON, RefusedError, rendered, unavailable
from serve.api.health import observe
from serve.api.keys import KeyRing
from serve.api.limits import RateLimit

log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

METHODS = ("GET", "HEAD", "OPTIONS")
ALLOWED = ", ".join(METHODS)
#: Requests that are worked on at once in one process; more are told to come again.
MOST_AT_ONCE = 200
#: A client that takes nothing of an answer for so long is let go.
SLOWEST_SECONDS = 20
#: Where data is, and so where keys and limits hold; the pages are for everyone.
_GUARDED = ("/api/", "/udf/", "/metrics")
_OPEN = "/api/v1/health"
_LIVE = "/api/v1/live/"
_CONTENT = (
    b"default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self';"
    b" frame-ancestors 'none'"
)
_SECURITY = (
    (b"content-security-policy", _CONTENT),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class Rules(NamedTuple):
    """Who may ask, and how often."""

    keys: KeyRing | None
    limit: RateLimit
    origins: tuple[str, ...] = ()


class Gate:
    """The outermost layer of the application, in plain ASGI."""

    def __init__(self, application: Application, rules: Rules) -> None:
        self._application = application
        self._rules = rules
        self._at_once = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or follow one connection to its end."""
        if scope["type"] == "http":
            await self._request(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._application(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _Answer(scope, send)
        if scope["method"] == "OPTIONS":
            await answer.empty(204, ((b"allow", ALLOWED.encode()),))
            return
        is_long = scope["path"].startswith(_LIVE)
        try:
            self._admit(scope)
            if self._at_once >= MOST_AT_ONCE and not is_long:
                raise unavailable("busy", "Too many ask at once", "Ask again in a moment.")
        except RefusedError as error:
            await answer.refuse(error)
            return
        self._at_once += 0 if is_long else 1
        try:
            await self._application(answer.scope, receive, answer.send)
        except Exception as error:
            cause = error.__cause__ if isinstance(error, RuntimeError) else error
            if not isinstance(cause, ServeError | TimeoutError):
                raise
            # the answer had begun: cut short, a client sees that it is not whole
            said = str(cause) or "the client was too slow"
            log.warning("an answer was cut short at %s: %s", scope["path"], said)
        finally:
            self._at_once -= 0 if is_long else 1
            answer.observed()

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._admit(scope)
            self._require_origin(scope)
        except RefusedError as error:
            await receive()
            await _refuse_websocket(scope, send, error)
            return
        await self._application(scope, receive, send)

    def _admit(self, scope: Scope) -> None:
        """Refuse a method that writes, a caller without a key, and one that asks too often."""
        if scope["type"] == "http" and scope["method"] not in METHODS:
            allowed = {"Allow": ALLOWED}
            what = "Only GET and HEAD are answered"
            hint = "Nothing can be written here."
            raise RefusedError(405, "method_not_allowed", what, hint=hint, headers=allowed)
        path = scope["path"]
        if path == _OPEN or not path.startswith(_GUARDED):
            return
        keys, shown = self._rules.keys, _key(scope)
        owner = keys.owner(shown) if keys is not None and shown else None
        # who shows no key that is known is limited, too: by address
        caller = _address(scope) if owner is None else f"key {owner}"
        wait = self._rules.limit.wait(caller, time.monotonic())
        if wait:
            headers = {"Retry-After": str(math.ceil(wait))}
            hint = f"Ask again in {math.ceil(wait)} s."
            raise RefusedError(429, "too_often", "Asked too often", hint=hint, headers=headers)
        if keys is not None and owner is None:
            what = "The API key is unknown" if shown else "An API key is needed"
            hint = "Send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`."
            headers = {"WWW-Authenticate": "Bearer"}
            raise RefusedError(401, "unauthorized", what, hint=hint, headers=headers)

    def _require_origin(self, scope: Scope) -> None:
        """Refuse a page of another origin: browsers let any page open a websocket."""
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        host = headers.get(b"host", b"").decode("latin-1")
        if not origin or origin in self._rules.origins or urlsplit(origin).netloc == host:
            return
        hint = "Open it with serve.cors_origins."
        raise RefusedError(403, "origin", "Pages of this origin may not ask", hint=hint)


class _Answer:
    """One answer on its way: headers for all, none of the body for HEAD, and its measures."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._send = send
        self._began = time.perf_counter()
        self._status = 0
        self._is_head = scope["method"] == "HEAD"
        # routes know GET alone; the server's own scope stays, it counts a body by its method
        self.scope = {**scope, "method": "GET"} if self._is_head else scope
        self._has_body = any(
            name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
            for name, value in scope["headers"]
        )

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = list(message.get("headers", ()))
            held = {name for name, _ in headers}
            headers += [one for one in _SECURITY if one[0] not in held]
            if self._has_body:
                # nothing here takes a body: what is left of it is not read
                headers.append((b"connection", b"close"))
            await self._send({**message, "headers": headers})
        elif message["type"] != "http.response.body":
            await self._send(message)
        elif self._is_head:
            if not message.get("more_body", False):
                await self._send({"type": "http.response.body", "body": b""})
        elif message.get("more_body", False):
            async with asyncio.timeout(SLOWEST_SECONDS):
                await self._send(message)
        else:
            await self._send(message)

    async def refuse(self, error: RefusedError) -> None:
        """Answer with a refusal."""
        body = rendered(error, self.scope["path"])
        headers = [
            (b"content-type", JSON.encode()),
            (b"content-length", str(len(body)).encode()),
            *((name.lower().encode(), value.encode()) for name, value in error.headers.items()),
        ]
        start = {"type": "http.response.start", "status": error.status, "headers": headers}
        await self.send(start)
        await self.send({"type": "http.response.body", "body": body})
        self.observed()

    async def empty(self, status: int, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        """Answer without a body."""
        await self.send({"type": "http.response.start", "status": status, "headers": [*headers]})
        await self.send({"type": "http.response.body", "body": b""})
        self.observed()

    def observed(self) -> None:
        """Count this answer under its route; a path that is none has no name of its own."""
        path = getattr(self.scope.get("route"), "path", None)
        name = path or ("refused" if self._status in _REFUSED else "other")
        seconds = time.perf_counter() - self._began
        observe(name, self._status, seconds, self.scope.get(ROWS, 0))


_REFUSED = (401, 405, 429, 503)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def _key(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            return str(value.decode("latin-1"))
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return str(value[7:].decode("latin-1")).strip()
    return None


async def _refuse_websocket(scope: Scope, send: Send, error: RefusedError) -> None:
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": error.what})
        return
    headers = [
        (b"content-type", JSON.encode()),
        *((name.lower().encode(), value.encode()) for name, value in error.headers.items()),
    ]
    start = {"type": "websocket.http.response.start", "status": error.status, "headers": headers}
    await send(start)
    body = rendered(error, scope["path"])
    await send({"type": "websocket.http.response.body", "body": body})
