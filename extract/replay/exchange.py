"""Runs a replay exchange in a thread of this process, on a free loopback port."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiohttp import web

from extract.replay.engine import Engine, Rules
from extract.replay.exchange_clock import ARCHIVE, COINM, DERIBIT, DERIBIT_HISTORY, SPOT, USDM
from extract.replay.faults import Fault
from extract.replay.request_log import RequestLog
from extract.replay.server import build_app
from lake.errors import UsageError

LOOPBACK = "127.0.0.1"
START_TIMEOUT_SECONDS = 30
# Nothing is drained at the end: a stalled answer would hold up whoever ordered the stall.
SHUTDOWN_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Urls:
    """The root of each segment, what a venue's `rest_url` (or `archive_url`) is set to."""

    root: str

    @property
    def spot(self) -> str:
        """Stands for https://api.binance.com."""
        return f"{self.root}/{SPOT}"

    @property
    def usdm(self) -> str:
        """Stands for https://fapi.binance.com."""
        return f"{self.root}/{USDM}"

    @property
    def coinm(self) -> str:
        """Stands for https://dapi.binance.com."""
        return f"{self.root}/{COINM}"

    @property
    def archive(self) -> str:
        """Stands for https://data.binance.vision."""
        return f"{self.root}/{ARCHIVE}"

    @property
    def deribit(self) -> str:
        """Stands for https://www.deribit.com; methods are under `/api/v2/`."""
        return f"{self.root}/{DERIBIT}"

    @property
    def deribit_history(self) -> str:
        """Stands for https://history.deribit.com; methods are under `/api/v2/`."""
        return f"{self.root}/{DERIBIT_HISTORY}"

    def streams(self, segment: str) -> str:
        """Return the root of a segment's streams, what a venue's `ws_url` is set to.

        Binance's paths `/ws` and `/stream` follow it; Deribit's is whole.
        """
        root = self.root.replace("http://", "ws://", 1)
        return f"{root}/{segment}/ws/api/v2" if segment == DERIBIT else f"{root}/{segment}"

    def settings(self) -> dict[str, str]:
        """Return the settings that point Candlelake at this exchange, by their full names."""
        return {
            "exchanges.binance.spot.rest_url": self.spot,
            "exchanges.binance.spot.ws_url": self.streams(SPOT),
            "exchanges.binance.usdm.rest_url": self.usdm,
            "exchanges.binance.usdm.ws_url": self.streams(USDM),
            "exchanges.binance.coinm.rest_url": self.coinm,
            "exchanges.binance.coinm.ws_url": self.streams(COINM),
            "exchanges.binance.archive_url": self.archive,
            "exchanges.deribit.rest_url": self.deribit,
            "exchanges.deribit.history_url": self.deribit_history,
            "exchanges.deribit.ws_url": self.streams(DERIBIT),
        }


class ReplayExchange:
    """A replay exchange for the length of a `with` block.

    Example:
        with ReplayExchange() as exchange:
            exchange.order(Fault("rate_limited", path="*/aggTrades", retry_after=1))
            requests.get(f"{exchange.urls.spot}/api/v3/time", timeout=5)
    """

    def __init__(self, rules: Rules | None = None, *, port: int = 0) -> None:
        """Prepare it; nothing listens before the block is entered.

        Args:
            rules: recordings, seed, clocks and limits; the exchanges' own by default.
            port: 0 for a free one.
        """
        self.engine = Engine(rules or Rules())
        self._port = port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started = threading.Event()
        self._failure: OSError | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="replay-exchange", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait(START_TIMEOUT_SECONDS)
        if self._failure is not None:
            raise UsageError(
                f"the replay exchange can't listen on {LOOPBACK}:{self._port}: {self._failure}",
                hint="Choose another port, or 0 for a free one.",
            ) from self._failure
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_TIMEOUT_SECONDS)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._port

    @property
    def urls(self) -> Urls:
        """Where each segment is served."""
        return Urls(f"http://{LOOPBACK}:{self._port}")

    @property
    def requests(self) -> RequestLog:
        """What it was asked so far."""
        return self.engine.log

    def order(self, *faults: Fault) -> None:
        """Order misbehaviour; served in this order, once each unless `times` says more."""
        self.engine.faults.add(faults)

    def faults_left(self) -> list[dict[str, object]]:
        """Return the orders that are still open."""
        return self.engine.faults.left()

    def wait(self) -> None:
        """Block until the exchange is stopped."""
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        runner = web.AppRunner(
            build_app(self.engine), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS
        )
        await runner.setup()
        try:
            await self._listen(runner)
            self._started.set()
            if self._failure is None:
                await self._stop.wait()
        finally:
            await runner.cleanup()

    async def _listen(self, runner: web.AppRunner) -> None:
        site = web.TCPSite(runner, LOOPBACK, self._port)
        try:
            await site.start()
        except OSError as error:
            self._failure = error
            return
        self._port = runner.addresses[0][1]
        self.engine.clocks.start()
