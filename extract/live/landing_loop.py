"""Lands batch after batch in a thread of its own while the next one fills."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from extract.live.batch import Batch
from extract.live.counters import Counters
from extract.live.intake import Intake
from extract.live.packs import Pack
from extract.live.sink import Sink
from extract.live.stream import MINUTE_MS
from extract.live.threads import Threads
from lake.clock import Clock, to_millis
from lake.errors import StorageError

#: How much of the last second a stop leaves to the store.
HURRY_SECONDS = 2.5
#: A stop ends after so long, landed or not.
LEAVE_SECONDS = 4.0
#: How long after a minute's end its last frames have come.
BEHIND_MINUTE_MS = 700


def fills_for(now_ms: int, seconds: float) -> float:
    """Return for how many seconds a batch may fill: a minute's last trades land behind its end."""
    to_end_ms = MINUTE_MS - (now_ms - BEHIND_MINUTE_MS) % MINUTE_MS
    return min(seconds, to_end_ms / 1000)


class LandingLoop:
    """Takes batches from the intake by time and by size, and lands them one after the other.

    Args:
        intake: gives the batches.
        sink: where they go.
        counters: is told what has landed.
        clock: the process's clock.
        seconds: how old a batch may be; where a minute ends, it lands sooner.
    """

    def __init__(
        self, intake: Intake, sink: Sink, counters: Counters, clock: Clock, *, seconds: float
    ) -> None:
        self._intake = intake
        self._sink = sink
        self._counters = counters
        self._clock = clock
        self._seconds = seconds
        self._threads = Threads("land", 1)
        self._one_at_a_time = asyncio.Lock()
        self._failure: StorageError | None = None

    async def run(self) -> None:
        """Land batches until cancelled.

        Raises:
            StorageError: a batch could not be landed, after all patience.
        """
        while True:
            try:
                now_ms = to_millis(self._clock.now())
                async with asyncio.timeout(fills_for(now_ms, self._seconds)):
                    await self._intake.full.wait()
            except TimeoutError:
                pass
            landing = asyncio.ensure_future(self._land())
            # where this loop is cancelled meanwhile, `finish` tells its failure
            landing.add_done_callback(lambda done: done.cancelled() or done.exception())
            await asyncio.shield(landing)

    async def finish(self) -> None:
        """Land what is left, in a hurry.

        Raises:
            StorageError: it did not land in time, or the store refuses it.
        """
        self._sink.hurry(HURRY_SECONDS)
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._land()
        except TimeoutError as error:
            raise StorageError(
                f"the last batch did not land within {LEAVE_SECONDS:.0f} seconds", hint=LOST_HINT
            ) from error

    async def _land(self) -> None:
        async with self._one_at_a_time:
            if self._failure is not None:
                raise self._failure
            if not self._intake.waits:
                return
            batch = self._intake.swap()
            try:
                packs = await asyncio.wrap_future(self._threads.run(self._sink.land, batch))
            except StorageError as error:
                self._failure = StorageError(
                    f"the store takes nothing, the collector stops: {error.what};"
                    f" {batch.messages} messages or more in memory have not landed",
                    where=error.where,
                    hint=LOST_HINT,
                )
                raise self._failure from error
            self._intake.landed(batch)
            self._count(batch, packs)

    def _count(self, batch: Batch, packs: Sequence[Pack]) -> None:
        now_ms = to_millis(self._clock.now())
        for stream, caught in batch.caught.items():
            if caught.times:
                counter, newest_ms = self._counters.of(stream), max(caught.times)
                counter.newest_ms = max(newest_ms, counter.newest_ms or newest_ms)
                counter.lag_ms = now_ms - newest_ms
        for pack in packs:
            self._counters.files += 1
            for stream in pack.streams:
                self._counters.of(stream).last_file = pack.key


LOST_HINT = "Mend the store and start again: trades that are missing then come by id over REST."
