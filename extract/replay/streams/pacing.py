"""Sends what happens as the exchange's clock runs: one turn every few milliseconds."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from decimal import Decimal
from typing import Protocol

from extract.replay.engine import Engine
from extract.replay.exchange_clock import DERIBIT
from extract.replay.streams.batch import Batch
from extract.replay.streams.binance_sources import binance_source
from extract.replay.streams.connection import Connection
from extract.replay.streams.deribit_sources import deribit_source
from extract.replay.streams.source import Source

log = logging.getLogger(__name__)

SLICE_SECONDS = Decimal("0.05")


class Keeper(Protocol):
    """What keeps one connection to the exchange's rules."""

    def heard(self) -> None:
        """Take note of an incoming message of any sort."""

    def ponged(self, payload: bytes) -> None:
        """Take a pong."""

    def turn(self) -> None:
        """Do what it is time for."""


class Pacer:
    """The open connections, and the turns at which they are served while there are any."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connections: dict[Connection, Keeper] = {}
        self._sources: dict[tuple[str, str], Source | None] = {}
        self._sent_until: dict[str, int] = {}
        self._turning: asyncio.Task[None] | None = None

    def add(self, connection: Connection, keeper: Keeper) -> None:
        """Serve a connection from now on."""
        if self._turning is None:
            self._sent_until.clear()
            self._turning = asyncio.create_task(self._turn_on())
            self._turning.add_done_callback(self._stopped)
        self._connections[connection] = keeper

    def remove(self, connection: Connection) -> None:
        """Serve a connection no longer."""
        self._connections.pop(connection, None)
        if not self._connections and self._turning is not None:
            self._turning.cancel()
            self._turning = None

    def count(self, segment: str) -> int:
        """Return how many connections a segment holds."""
        return sum(connection.segment == segment for connection in self._connections)

    def hang_up(self) -> None:
        """Drop all connections."""
        for connection in list(self._connections):
            connection.hang_up()

    def source(self, segment: str, stream: str) -> Source | None:
        """Return what a stream sends; None where nothing of that name is held.

        Raises:
            RawRefusedError: a Deribit channel is raw.
        """
        key = (segment, stream)
        if key not in self._sources:
            self._sources[key] = (
                deribit_source(self._engine.deribit, stream)
                if segment == DERIBIT
                else binance_source(self._engine, *key)
            )
        return self._sources[key]

    def _stopped(self, turning: asyncio.Task[None]) -> None:
        """Say what has stopped the turns, and drop those who would wait for more in vain."""
        if not turning.cancelled() and turning.exception() is not None:
            log.error("the replay exchange's streams have stopped", exc_info=turning.exception())
            self._turning = None
            self.hang_up()

    async def _turn_on(self) -> None:
        while True:
            self.turn()
            await asyncio.sleep(self._engine.rules.streams.tick_seconds)

    def turn(self) -> None:
        """Send what has happened since the last turn.

        After a stall there is much to send: in slices, a turn each, it finds clients that have
        read the one before, and does not look like a client that reads nothing.
        """
        slice_ms = self._engine.clocks.millis_in(SLICE_SECONDS)
        # a segment that nobody listened to begins anew: what it left out is never sent
        sent_until, self._sent_until = self._sent_until, {}
        for segment in dict.fromkeys(connection.segment for connection in self._connections):
            now = self._engine.clocks.instant(segment).millis
            after = sent_until.get(segment, now)
            until = min(now, after + slice_ms)
            self._sent_until[segment] = until
            if until > after:
                self._publish(segment, after, until)
        for connection, keeper in list(self._connections.items()):
            if not connection.is_closed:
                keeper.turn()
                connection.flush()

    def _publish(self, segment: str, after: int, until: int) -> None:
        takers: defaultdict[str, list[Connection]] = defaultdict(list)
        for connection in self._connections:
            if connection.segment == segment:
                for stream in connection.streams:
                    takers[stream].append(connection)
        for stream, connections in takers.items():
            source = self.source(segment, stream)
            payloads = source.payloads(after, until) if source is not None else ()
            if payloads:
                batch = Batch(stream, payloads)
                for connection in connections:
                    connection.deliver(batch)
