"""A TCP proxy before a server on loopback: it makes each connection slow, or cuts all of them."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

PIECE_BYTES = 16 << 10


class Throttle:
    """Passes bytes on as they come until it is told otherwise; a thread of its own runs it.

    Args:
        backend: the address of the server behind it.

    Attributes:
        endpoint: its own address.
    """

    def __init__(self, backend: str) -> None:
        self.endpoint = ""
        parts = urlsplit(backend)
        self._backend = (str(parts.hostname), int(parts.port or 0))
        self._latency_seconds = 0.0
        self._bytes_per_second = 0
        self._is_away = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="throttle", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the proxy before the storage did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def slow(self, latency_seconds: float, bytes_per_second: int) -> None:
        """Hold up each piece of each connection, in both directions."""
        self._latency_seconds, self._bytes_per_second = latency_seconds, bytes_per_second

    def cut(self) -> None:
        """Drop all connections, and every new one."""
        self._is_away = True
        self._loop.call_soon_threadsafe(self._drop)

    def restore(self) -> None:
        """Pass everything on again as it comes."""
        self._latency_seconds, self._bytes_per_second, self._is_away = 0.0, 0, False

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._stop.wait()
        server.close()
        self._drop()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _drop(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine = {writer}
        self._writers |= mine
        try:
            if not self._is_away:
                there, back = await asyncio.open_connection(*self._backend)
                mine |= {back}
                self._writers |= mine
                async with asyncio.TaskGroup() as pumps:
                    pumps.create_task(self._pump(reader, back))
                    pumps.create_task(self._pump(there, writer))
        except* OSError:
            pass
        finally:
            self._writers -= mine
            for one in mine:
                one.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(PIECE_BYTES):
            if pause := self._pause_seconds(len(piece)):
                await asyncio.sleep(pause)
            writer.write(piece)
            await writer.drain()
        with suppress(OSError):
            writer.write_eof()

    def _pause_seconds(self, size: int) -> float:
        rate = self._bytes_per_second
        return self._latency_seconds + (size / rate if rate else 0.0)
