"""What a worker does with a task of the minute: one index or one instrument, one interval."""

from __future__ import annotations

import logging
import threading

from extract.minute.desk import Desk, Tally, side_by_side
from extract.minute.indexes import poll_indexes
from extract.minute.newest_bars import NewestBars
from extract.minute.timetable import wait_until
from extract.minute.wanted import Instrument, Wanted, by_host
from lake.clock import Clock, SystemClock
from lake.objects import ObjectStore
from lake.run import new_run_id
from lake.settings import Settings

log = logging.getLogger(__name__)


class Polls:
    """The desks of one worker process: a clock and a client a host, kept from task to task."""

    def __init__(self, settings: Settings, store: ObjectStore, clock: Clock | None = None) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock or SystemClock()
        self._run_id = new_run_id(self._clock)
        self._lock = threading.Lock()
        self._desks: dict[tuple[str, str], Desk] = {}
        self._bars: dict[Instrument, NewestBars] = {}

    def index(self, name: str) -> Tally:
        """Land the price of an index for the interval that is due nearest."""
        (wanted,) = by_host((name,), ())
        desk, tally = self._desk(wanted), Tally()
        poll_indexes(desk, (name,), self._due(desk), tally)
        return _told(name, tally)

    def bar(self, text: str) -> Tally:
        """Land the newest bar of `exchange/kind/name`, and those missed before it.

        Raises:
            UsageError: it names no instrument that can be polled.
        """
        instrument, tally = Instrument.of(text), Tally()
        (wanted,) = by_host((), (instrument,))
        desk = self._desk(wanted)
        bars = self._bars.setdefault(instrument, NewestBars(desk, instrument))
        interval = self._due(desk)
        tally.landed += side_by_side([lambda: bars.poll(interval)], 1, tally)
        return _told(text, tally)

    def _desk(self, wanted: Wanted) -> Desk:
        host = (wanted.exchange, wanted.segment)
        with self._lock:
            if host not in self._desks:
                self._desks[host] = Desk.of(
                    self._settings, self._store, wanted, run_id=self._run_id, clock=self._clock
                )
            return self._desks[host]

    def _due(self, desk: Desk) -> int:
        """Wait for the interval that is due nearest by the exchange's clock, and return it."""
        desk.ask_time_if_old()
        interval = desk.timetable.nearest(desk.now_ms())
        wait_until(desk.timetable.due(interval), desk.clock, desk.ask_time_if_old)
        return interval


def _told(name: str, tally: Tally) -> Tally:
    log.info(
        "polled %s files=%d missed=%d failed=%d",
        name,
        tally.landed.files_created,
        tally.missed,
        tally.failed,
    )
    return tally
