"""A proxy before the real S3 server that does what a network does: it loses, delays, conflicts."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

#: As S3 puts it: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
CONFLICT = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>ConditionalRequestConflict</Code>'
    b"<Message>The conditional request cannot succeed due to a conflicting operation against this "
    b"resource.</Message></Error>"
)


@dataclass
class FaultyProxy:
    """Passes everything on, but for the next puts that were ordered to fail.

    Attributes:
        endpoint: the proxy's own address.
        conflicts: so many puts get a 409 and don't reach the server.
        conflicting: how the path of such a put ends; any does where this is empty.
        lost_answers: so many puts reach the server, but its answer is lost.
        puts: how many puts came.
        unanswered: of the next put whose path ends so the answer is lost.
        held_back: a put whose path ends so waits until `go_on` is set, and sets `is_held`.
    """

    backend: str
    endpoint: str = ""
    conflicts: int = 0
    conflicting: str = ""
    lost_answers: int = 0
    puts: int = 0
    unanswered: str = ""
    held_back: str = ""
    is_held: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ordered(self, fault: str) -> bool:
        """Take one of the ordered faults, where one is left."""
        with self.lock:
            left: int = getattr(self, fault)
            setattr(self, fault, max(left - 1, 0))
            return left > 0


class Handler(BaseHTTPRequestHandler):
    """Forwards one request with its headers unchanged: they are signed."""

    protocol_version = "HTTP/1.1"
    proxy: FaultyProxy

    def do_GET(self) -> None:
        self._pass_on()

    def do_PUT(self) -> None:
        self.proxy.puts += 1
        path = urlsplit(self.path).path
        if path.endswith(self.proxy.conflicting) and self.proxy.ordered("conflicts"):
            self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(409, {"Content-Type": "application/xml"}, CONFLICT)
            return
        if self.proxy.held_back and path.endswith(self.proxy.held_back):
            self.proxy.is_held.set()
            assert self.proxy.go_on.wait(120)
        self._pass_on(lose=self.proxy.ordered("lost_answers") or self._goes_unanswered())

    def do_HEAD(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def do_DELETE(self) -> None:
        self._pass_on()

    def _goes_unanswered(self) -> bool:
        named = self.proxy.unanswered
        if not named or not urlsplit(self.path).path.endswith(named):
            return False
        self.proxy.unanswered = ""
        return True

    def log_message(self, *_words: object) -> None:
        """Say nothing."""

    def _pass_on(self, *, lose: bool = False) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        backend = http.client.HTTPConnection(urlsplit(self.proxy.backend).netloc, timeout=10)
        headers = {name: value for name, value in self.headers.items() if name != "Expect"}
        backend.request(self.command, self.path, body, headers)
        answer = backend.getresponse()
        content = answer.read()
        backend.close()
        if lose:
            self.close_connection = True
            return
        self._answer(answer.status, dict(answer.getheaders()), content)

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else len(content)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def faulty_proxy(backend: str, kind: type[Handler] = Handler) -> Iterator[FaultyProxy]:
    """Run a proxy before the server at `backend`; `kind` is what it does with each request."""
    proxy = FaultyProxy(backend)
    handler = type("ProxyHandler", (kind,), {"proxy": proxy})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    proxy.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
