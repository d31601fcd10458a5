"""Collects the streams of all chosen venues until its life ends or somebody stops it."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp

from extract.live.connecting import Connect, Connected
from extract.live.connection import Connection
from extract.live.counters import Counters, Totals
from extract.live.feed import Feed
from extract.live.filling import Filler
from extract.live.hole_keeper import HoleKeeper
from extract.live.intake import Intake
from extract.live.landing_loop import LandingLoop
from extract.live.pacing import BackOff, Turns
from extract.live.quiet import QuietWatch
from extract.live.resuming import Held
from extract.live.sink import Sink
from extract.live.stream import Stream
from extract.live.venue import Venue
from lake.clock import Clock
from lake.errors import PermanentExtractError
from lake.settings import Settings

log = logging.getLogger(__name__)

PROGRESS_SECONDS = 15.0
#: At the planned end of a life, how long answers that fill holes are waited for.
LAST_ANSWERS_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A venue, what is wanted of it, and who connects to it: we ourselves, or a library."""

    venue: Venue
    streams: Sequence[Stream]
    connect: Connect = Connection


@dataclass(frozen=True, slots=True)
class Tools:
    """What a collector works with.

    Attributes:
        sink: where batches go.
        filler: asks for what is missing.
        clock: stamps frames.
        counters: kept for whoever asks.
        chance: draws the jitter.
    """

    sink: Sink
    filler: Filler
    clock: Clock
    counters: Counters
    chance: random.Random


async def collect(
    settings: Settings,
    subscribed: Sequence[Subscribed],
    held: Mapping[Stream, Held],
    tools: Tools,
    *,
    stop: asyncio.Event,
    life_seconds: float | None = None,
) -> Totals:
    """Collect until `life_seconds` are over or `stop` is set; everything in memory then lands.

    Args:
        settings: limits, patience, sizes.
        subscribed: what to listen to.
        held: what bronze holds of the numbered streams.
        tools: where batches go, and who fills holes.
        stop: ends the collector within 5 seconds.
        life_seconds: None for ever.

    Raises:
        StorageError: the store refused for too long, or refuses the last batch.
        PermanentExtractError: the exchanges refuse every stream.
    """
    async with aiohttp.ClientSession() as session:
        collector = _Collector(settings, subscribed, held, tools, session)
        await collector.run(stop, life_seconds)
    return tools.counters.totals()


class _Collector:
    """The parts of a collector, each a task."""

    def __init__(
        self,
        settings: Settings,
        subscribed: Sequence[Subscribed],
        held: Mapping[Stream, Held],
        tools: Tools,
        session: aiohttp.ClientSession,
    ) -> None:
        live = settings.live
        self._settings = settings
        self._session = session
        self._tools = tools
        self._intake = Intake(live, tools.clock, tools.counters)
        for one in subscribed:
            self._intake.begin(one.streams, held)
        self._landing = LandingLoop(
            self._intake, tools.sink, tools.counters, tools.clock, seconds=live.seconds
        )
        self._holes = HoleKeeper(self._intake, tools.filler, tools.counters, live)
        self._quiet = QuietWatch(
            self._intake,
            tools.filler,
            tools.counters,
            quiet_seconds=live.quiet_seconds,
            renew=self._renew,
        )
        #: what an exchange counts by address is shared by all that go to one
        self._connects: dict[str, Turns] = {}
        self._turns: dict[str, Turns] = {}
        self._feeds = [feed for one in subscribed for feed in self._feeds_of(one)]

    async def run(self, stop: asyncio.Event, life_seconds: float | None) -> None:
        """Run all parts; whatever ends them, what is in memory lands first."""
        works = [feed.run() for feed in self._feeds]
        works += [self._holes.run(), self._quiet.run(), self._tell()]
        feeding = [asyncio.create_task(work) for work in works]
        landing = asyncio.create_task(self._landing.run())
        refused = asyncio.create_task(self._all_refused())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait(
                {*feeding, landing, refused, stopped},
                timeout=life_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            await _cancelled(feeding)
            if not landing.done():
                await self._last_answers(stopped)
            await self._finish(landing)
            for task in (*feeding, refused):
                if task.done() and not task.cancelled():
                    task.result()
        finally:
            await _cancelled([*feeding, landing, refused, stopped])
            self._tools.filler.close()

    async def _last_answers(self, stopped: asyncio.Task[Any]) -> None:
        """Wait for what fills holes, but for no longer than until somebody stops us."""
        asked = asyncio.create_task(self._holes.finish(LAST_ANSWERS_SECONDS))
        await asyncio.wait({asked, stopped}, return_when=asyncio.FIRST_COMPLETED)
        await _cancelled([asked])

    async def _finish(self, landing: asyncio.Task[None]) -> None:
        """Land what is in memory."""
        if landing.done():
            landing.result()
        landing.cancel()
        await self._landing.finish()

    def _feeds_of(self, one: Subscribed) -> list[Feed]:
        size = one.venue.limits.streams
        return [
            self._feed(one, one.streams[n : n + size]) for n in range(0, len(one.streams), size)
        ]

    def _feed(self, one: Subscribed, streams: Sequence[Stream]) -> Feed:
        venue, limits = one.venue, one.venue.limits
        connects = self._connects.setdefault(
            venue.url, Turns(limits.connects, limits.connects_seconds)
        )
        turns = Turns(1, limits.message_seconds)
        if limits.counts_by_address:
            turns = self._turns.setdefault(venue.url, turns)

        def connect() -> Connected:
            return one.connect(
                self._session,
                self._settings,
                venue,
                streams,
                intake=self._intake,
                counters=self._tools.counters,
                turns=turns,
            )

        return Feed(
            streams,
            connect,
            self._settings.live,
            connects=connects,
            back_off=BackOff(self._settings.extract, self._tools.chance),
            counters=self._tools.counters,
        )

    def _renew(self, stream: Stream) -> None:
        for feed in self._feeds:
            if stream in feed.streams:
                feed.renew()

    async def _all_refused(self) -> None:
        """Return only where the exchanges refuse every stream, as an error."""
        streams = [stream for feed in self._feeds for stream in feed.streams]
        while not all(self._tools.counters.of(stream).refused for stream in streams):  # noqa: ASYNC110 - counters are plain numbers
            await asyncio.sleep(0.5)
        raise PermanentExtractError(
            f"every stream is refused, {len(streams)} of {len(streams)}",
            where=streams[0].channel,
            hint="The log says in whose words; check --streams and --instruments.",
        )

    async def _tell(self) -> None:
        """Say how it goes on standard error, a line now and then."""
        before = self._tools.counters.totals()
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            now = self._tools.counters.totals()
            rate = int((now.messages - before.messages) / PROGRESS_SECONDS)
            lag = "-" if now.lag_ms is None else f"{now.lag_ms}ms"
            log.info("collecting streams=%d %s rate=%d/s lag=%s", now.streams, now, rate, lag)
            before = now


async def _cancelled(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError, Exception):
            await task
