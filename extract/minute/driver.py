"""The async driver: one event loop and one session a process, for callers of any thread."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from functools import lru_cache
from typing import Any, TypeVar

import aiohttp

from extract.answer import Received, Request
from lake.errors import PermanentExtractError, TransientExtractError

T = TypeVar("T")
#: Deribit refuses the 33rd connection of an address (docs, connection management 2026-05).
CONNECTIONS = 16
#: What the loop may take longer than an answer's own limits.
GRACE_SECONDS = 5


class AiohttpDriver:
    """Sends requests from an event loop that runs as long as the driver, in a thread of its own.

    A loop for each task would leave the session of the one before bound to a closed loop, and its
    connections open. The loop starts with the first request.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._session: aiohttp.ClientSession | None = None

    def get(self, request: Request, *, connect_seconds: float, read_seconds: float) -> Received:
        """Send a request once and return what came back; as `extract.answer.Driver`.

        Raises:
            TransientExtractError: the connection failed, or no answer came in time.
            PermanentExtractError: the request can't be sent.
        """
        patience = aiohttp.ClientTimeout(connect=connect_seconds, sock_read=read_seconds)
        asked = self._submit(self._get(request, patience))
        try:
            return asked.result(connect_seconds + read_seconds + GRACE_SECONDS)
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise PermanentExtractError(
                f"the request can't be sent: {error}",
                where=request.url,
                hint="Check the address in the settings.",
            ) from error
        except (aiohttp.ClientError, TimeoutError, OSError, CancelledError) as error:
            asked.cancel()
            raise TransientExtractError(
                f"the connection failed: {type(error).__name__}: {error}", where=request.url
            ) from error

    def close(self) -> None:
        """Close every connection and end the loop; the next request begins anew."""
        with self._lock:
            loop, thread, session = self._loop, self._thread, self._session
            self._loop = self._thread = self._session = None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(_shut(session), loop).result(GRACE_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(GRACE_SECONDS)
        loop.close()

    async def _get(self, request: Request, patience: aiohttp.ClientTimeout) -> Received:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit_per_host=CONNECTIONS)
            )
        async with self._session.get(
            request.url,
            params=dict(request.params),
            headers=dict(request.headers),
            timeout=patience,
            allow_redirects=False,
        ) as response:
            body = await response.read()
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Received(response.status, headers, body)

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="minute-driver", daemon=True
                )
                self._thread.start()
            return asyncio.run_coroutine_threadsafe(work, self._loop)


async def _shut(session: aiohttp.ClientSession | None) -> None:
    """Give up what is under way, and close the session."""
    mine = asyncio.current_task()
    under_way = [one for one in asyncio.all_tasks() if one is not mine]
    for one in under_way:
        one.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)
    if session is not None:
        await session.close()


def process_driver() -> AiohttpDriver:
    """Return the driver of this process; a forked worker has one of its own, not its parent's."""
    return _driver_of(os.getpid())


@lru_cache(maxsize=1)
def _driver_of(process: int) -> AiohttpDriver:
    del process
    driver = AiohttpDriver()
    atexit.register(driver.close)
    return driver
