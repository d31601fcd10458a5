"""Takes each frame as it arrives: stamped, counted, followed by its ids, and kept for the batch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from extract.coverage import DAY_MS
from extract.live.batch import BESIDE_BYTES, Batch
from extract.live.counters import Counters
from extract.live.resuming import Held
from extract.live.stream import Said, Stream
from extract.live.trail import Trail
from extract.live.venue import Venue
from lake.clock import Clock, to_millis
from lake.setting_sections import Live


class Intake:
    """The memory of a collector: one batch in the making, and the trail of each stream.

    It belongs to the thread of the event loop.

    Args:
        settings: how large a batch and all of the memory may be.
        clock: stamps the frames.
        counters: is told each frame.

    Attributes:
        trails: of each numbered stream.
        full: set where the batch is to land now, by its size.
        room: cleared where nothing more may be held: no socket is to be read until it is set.
    """

    def __init__(self, settings: Live, clock: Clock, counters: Counters) -> None:
        self.trails: dict[Stream, Trail] = {}
        self.full = asyncio.Event()
        self.room = asyncio.Event()
        self.room.set()
        self._settings = settings
        self._clock = clock
        self._counters = counters
        self._batch = Batch()
        self._held_bytes = 0
        self._now_seconds = asyncio.get_running_loop().time
        self._horizon_ms = to_millis(clock.now()) + DAY_MS

    def begin(self, streams: Iterable[Stream], held: Mapping[Stream, Held]) -> None:
        """Follow streams from what is held of them on."""
        for stream in streams:
            counter = self._counters.of(stream)
            if stream.is_numbered:
                trail = self.trails[stream] = Trail(self._settings.fill_ids)
                if known := held.get(stream):
                    counter.holes_opened += trail.begin(
                        known.newest, known.holes, self._now_seconds()
                    )

    def take(self, venue: Venue, frame: bytes) -> Said | None:
        """Take a frame; return what it says to the collector itself, None where it is data."""
        stamp = self._clock.now()
        read = venue.read(frame)
        stream, ids = read.stream, read.ids
        if stream is None:
            said = read.said
            if said is not None and (said.kind == "odd" or said.error):
                self._take_odd(venue.unnamed, stamp, frame)
            return said
        counter = self._counters.of(stream)
        counter.last_message = stamp
        counter.messages += 1
        counter.bytes += len(frame)
        if ids and (trail := self.trails.get(stream)) is not None:
            times = read.times
            if not trail.believes(times, self._horizon_ms):
                self._take_odd(stream, stamp, frame)
                return None
            counter.trades += len(ids)
            counter.holes_opened += trail.see(ids, times, self._now_seconds())
        self._keep(stream, stamp, frame, ids, read.times)
        return None

    def swap(self) -> Batch:
        """Give the batch away to be landed, and begin the next one."""
        batch, self._batch = self._batch, Batch()
        self.full.clear()
        self._horizon_ms = to_millis(self._clock.now()) + DAY_MS
        return batch

    def landed(self, batch: Batch) -> None:
        """Forget a batch that has landed."""
        self._held_bytes -= batch.weight
        self._counters.buffer_bytes = self._held_bytes
        if self._held_bytes < self._settings.buffer_bytes:
            self.room.set()

    @property
    def waits(self) -> bool:
        """Whether there is anything to land."""
        return bool(self._batch.messages)

    def _take_odd(self, stream: Stream, stamp: datetime, frame: bytes) -> None:
        """Keep what nobody understands: raw, and claiming nothing."""
        self._counters.of(stream).odd += 1
        self._keep(stream, stamp, frame, (), ())

    def _keep(
        self,
        stream: Stream,
        stamp: datetime,
        frame: bytes,
        ids: Sequence[int],
        times: Sequence[int],
    ) -> None:
        batch, limits = self._batch, self._settings
        batch.of(stream).add(stamp, frame, ids, times)
        batch.messages += 1
        batch.bytes += len(frame)
        self._held_bytes += len(frame) + BESIDE_BYTES
        self._counters.buffer_bytes = self._held_bytes
        if batch.messages >= limits.messages or batch.bytes >= limits.bytes:
            self.full.set()
        if self._held_bytes >= limits.buffer_bytes:
            self.room.clear()
