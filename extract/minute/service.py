"""The embedded minute service: polls each host on its own clock, in one process."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

from extract.host import PROCESS_HOSTS, Hosts
from extract.landing import Landed
from extract.minute.desk import Desk, Tally, side_by_side
from extract.minute.driver import process_driver
from extract.minute.indexes import held_until, poll_indexes
from extract.minute.newest_bars import NewestBars
from extract.minute.timetable import Schedule, shown
from extract.minute.wanted import Wanted
from extract.packing import Packer
from extract.pool import Done, run_all
from lake.clock import Clock
from lake.objects import ObjectStore
from lake.settings import Settings

log = logging.getLogger(__name__)


class HostPoll:
    """Polls all that is wanted of one host, interval after interval."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.tally = Tally()
        wanted = desk.wanted
        packs = len(wanted.instruments) > desk.settings.extract.pack_above
        self._packer = Packer(desk.store, desk.client.clock) if packs else None
        self._bars = [NewestBars(desk, one, self._packer) for one in wanted.instruments]

    def poll(self, interval: int) -> None:
        """Poll one interval; what fails is told and counted.

        Raises:
            UsageError: a question makes no sense.
            StoppedError: the run was stopped.
        """
        if self.desk.wanted.indexes and not self._is_held(interval):
            poll_indexes(self.desk, self.desk.wanted.indexes, interval, self.tally)
        work: list[Callable[[], Landed]] = [partial(bar.poll, interval) for bar in self._bars]
        self.tally.landed += side_by_side(work, self.desk.settings.extract.workers, self.tally)
        if self._packer:
            packer = self._packer
            flushed = [lambda: Landed(files_created=packer.flush())]
            self.tally.landed += side_by_side(flushed, 1, self.tally)
        self.tally.polls += 1
        log.info(
            "%s interval=%s files=%d rows=%d missed=%d failed=%d",
            self.desk.wanted.exchange,
            shown(interval),
            self.tally.landed.files_created,
            self.tally.landed.rows,
            self.tally.missed,
            self.tally.failed,
        )

    def missed(self, interval: int) -> None:
        """Count an interval that was due while the one before it was still being asked for."""
        del interval
        self._tell_missed(1)

    def run(self, *, seconds: int | None = None, times: int | None = None) -> None:
        """Poll for so many seconds of the exchange's clock, or intervals; else without end."""
        schedule = Schedule(
            self.desk.timetable, self.desk.clock, self.desk.ask_time, self.poll, self.missed
        )
        schedule.run(seconds=seconds, times=times)

    def _is_held(self, interval: int) -> bool:
        """Tell whether a run before has landed an interval; tell of those that nobody has."""
        if self.tally.polls:
            return False
        end = held_until(self.desk, self.desk.wanted.indexes, interval)
        if end is None:
            return False
        self._tell_missed(max(0, interval - end) // self.desk.timetable.interval_ms)
        return end > interval

    def _tell_missed(self, intervals: int) -> None:
        prices = intervals * len(self.desk.wanted.indexes)
        if prices:
            log.warning("%d intervals were missed, %d prices", intervals, prices)
        self.tally.missed += prices


def run(
    settings: Settings,
    store: ObjectStore,
    wanted: Sequence[Wanted],
    *,
    run_id: str,
    clock: Clock,
    seconds: int | None = None,
    times: int | None = None,
    hosts: Hosts = PROCESS_HOSTS,
) -> Tally:
    """Poll all hosts side by side until each has done what is asked; return what came of it.

    Args:
        settings: where the exchanges are, and the timetable.
        store: the lake.
        wanted: what is polled, by host.
        run_id: kept in each envelope.
        clock: the process's own.
        seconds: how long to poll; None and no `times` polls without end.
        times: how many intervals to poll.
        hosts: connections, limits and bans.

    Raises:
        UsageError: a question makes no sense.
        KeyboardInterrupt: the run was interrupted; what has landed is whole.
    """
    desks = [
        Desk.of(settings, store, one, run_id=run_id, clock=clock, hosts=hosts) for one in wanted
    ]
    polls = [HostPoll(desk) for desk in desks]

    def halt() -> None:
        for desk in desks:
            desk.stop()

    def task(one: HostPoll) -> Callable[[], Done]:
        def done() -> Done:
            try:
                one.run(seconds=seconds, times=times)
            except BaseException:
                halt()  # the other hosts would go on for ever, and nobody would learn of it
                raise
            return Done(one.tally.landed)

        return done

    try:
        run_all([task(one) for one in polls], len(polls), halt=halt)
    finally:
        process_driver().close()
    return sum((one.tally for one in polls), Tally())
