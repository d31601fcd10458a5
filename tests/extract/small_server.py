"""A tiny real HTTP server that gives scripted answers, for faults at the level of the wire."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


@dataclass(frozen=True, slots=True)
class Scripted:
    """One answer; `promised` is the Content-Length where it is not the body's own."""

    body: bytes = b"[]"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    promised: int | None = None
    delay_seconds: float = 0


Route = Callable[[str], Scripted]


class SmallServer:
    """Serves a script in order; the last answer repeats. Or asks a route for every path."""

    def __init__(self, *script: Scripted, route: Route | None = None) -> None:
        self.paths: list[str] = []
        self._script = list(script)
        self._route = route
        handler = type("Handler", (_Handler,), {"server_of": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def next_answer(self, path: str) -> Scripted:
        """Return the answer to a request for `path`."""
        self.paths.append(path)
        if self._route is not None:
            return self._route(path)
        return self._script.pop(0) if len(self._script) > 1 else self._script[0]


class _Handler(BaseHTTPRequestHandler):
    server_of: SmallServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        answer = self.server_of.next_answer(self.path)
        time.sleep(answer.delay_seconds)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        length = len(answer.body) if answer.promised is None else answer.promised
        self.send_header("Content-Length", str(length))
        try:
            self.end_headers()
            self.wfile.write(answer.body)
        except (BrokenPipeError, ConnectionResetError):
            return  # a client that timed out has gone
        if length != len(answer.body):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""
