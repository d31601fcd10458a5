"""Runs the application: on one address, in one process or several, until it is told to end."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.supervisors import Multiprocess

from lake.errors import ServeError, SettingsError
from lake.log import configure_logging
from lake.setting_sections import Serve
from serve.api.application import Api, build
from serve.api.gate import Application
from serve.api.health import SHARED_FOLDER
from serve.api.keys import KeyRing
from serve.repository import Repository

#: A connection that has not sent the head of a request by then is closed,
HEAD_SECONDS = 10
#: as is one that sends more than this before its head is whole.
LARGEST_HEAD = 32_768
#: What has been answered and is not taken by then is thrown away, with its connection.
KEEP_ALIVE_SECONDS = 15
GRACE_SECONDS = 5
LARGEST_MESSAGE = 65_536
BACKLOG = 2048
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n"
    b"content-length: 0\r\n\r\n"
)

Open = Callable[[], Repository]


class Service(NamedTuple):
    """What is served: how its database is opened, and by which settings."""

    open: Open
    settings: Serve
    intervals: tuple[str, ...]


class PatientProtocol(HttpToolsProtocol):
    """HTTP/1.1, patient with slow clients for so long, and no longer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the head of the first request."""
        super().connection_made(transport)
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Read on; a head that is too large ends the connection."""
        waits = self._head_timer is not None
        if waits:
            self._head_bytes += len(data)
        super().data_received(data)
        if waits and self._head_timer is not None and self._head_bytes > LARGEST_HEAD:
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """Begin to wait for the head of a further request."""
        super().on_message_begin()
        if self._head_timer is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """Stop waiting: the head is whole."""
        self._forget_head()
        super().on_headers_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that asks nothing more; one that takes nothing at once."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting: nobody is there."""
        self._forget_head()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _forget_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class _Server(uvicorn.Server):
    """Ends streams when it is told to end: they would never end of themselves."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        api: Api | None = getattr(self.config.loaded_app, "api", None)
        if api is not None:
            asyncio.get_event_loop().call_soon_threadsafe(api.watcher.stopping.set)
        super().handle_exit(sig, frame)


class Entrance:
    """The application under the name that uvicorn calls, with its parts."""

    def __init__(self, api: Api) -> None:
        self.api = api

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        await self.api.entrance(scope, receive, send)


def application(service: Service) -> Application:
    """Make the application, in the process that runs it."""
    configure_logging()
    entrance = Entrance(build(service.open(), service.settings, service.intervals))
    # what is here now stays: to look through it again and again costs some ms each time
    gc.collect()
    gc.freeze()
    return entrance


def run(service: Service, workers: int, said: Callable[[str], None]) -> None:
    """Serve until SIGTERM or ^C; `said` is told the address once it is taken.

    Raises:
        SettingsError: the host is open to others and no keys file is set.
        ServeError: the address can't be taken, or the application can't start.
        KeyboardInterrupt: somebody pressed ^C.
    """
    settings = service.settings
    require_keys(settings)
    if settings.keys_file:
        KeyRing.of(Path(settings.keys_file))
    taken = listening(settings.host, settings.port)
    host, port = taken.getsockname()[:2]
    said(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    config = configured(partial(application, service))
    # uvicorn raises the signal that ended it once more, when all is closed: done, not killed
    signal.signal(signal.SIGTERM, lambda *_: None)
    with taken:
        if workers > 1:
            _several(config, taken, workers)
        else:
            _one(config, taken)


def configured(make: Callable[[], Application]) -> uvicorn.Config:
    """Return how uvicorn runs an application, which is made in the process that runs it."""
    return uvicorn.Config(
        make,
        factory=True,
        http=PatientProtocol,
        loop="uvloop",
        ws="websockets-sansio",
        ws_max_size=LARGEST_MESSAGE,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def _one(config: uvicorn.Config, taken: socket.socket) -> None:
    server = _Server(config)
    try:
        server.run(sockets=[taken])
    except SystemExit as stop:
        raise _not_started() from stop


class _Supervisor(Multiprocess):
    """Keeps the processes alive, and remembers that it was ^C that ended them."""

    is_interrupted = False

    def handle_int(self) -> None:
        self.is_interrupted = True
        super().handle_int()


def _several(config: uvicorn.Config, taken: socket.socket, workers: int) -> None:
    config.workers = workers
    folder = tempfile.mkdtemp(prefix="candlelake-metrics-")
    os.environ[SHARED_FOLDER] = folder
    supervisor = _Supervisor(config, sockets=[taken])
    try:
        supervisor.run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if supervisor.is_interrupted:
        raise KeyboardInterrupt
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise _not_started()


def _not_started() -> ServeError:
    return ServeError("the API did not start", hint="The log above says why.")


def require_keys(settings: Serve) -> None:
    """Refuse to serve others than this machine where nobody is asked for a key.

    Raises:
        SettingsError: the host is not loopback, and serve.keys_file is empty.
    """
    if settings.keys_file or is_loopback(settings.host):
        return
    raise SettingsError(
        f"serve.host {settings.host} is open to other machines, and nobody is asked for a key",
        hint="Make one with `candlelake api-key new --name NAME`, and set serve.keys_file.",
    )


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that has the address; port 0 is a free one.

    Raises:
        ServeError: another program has it, or it is no address of this machine.
    """
    hint = "Choose another with --port, or end the program that has it."
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        taken = socket.socket(family, socket.SOCK_STREAM)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
        # from now on callers wait, until the application answers
        taken.listen(BACKLOG)
        taken.set_inheritable(True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ServeError(f"can't listen: {reason}", where=f"{host}:{port}", hint=hint) from error
    return taken
