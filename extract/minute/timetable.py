"""When intervals end and are asked for: by arithmetic on the exchange's clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lake.clock import Clock, from_millis, to_millis
from lake.setting_sections import Minute

#: A clock that is set while we wait is noticed after so long.
LONGEST_SLEEP_MS = 10_000
#: So long before an interval is due the exchange is asked for its time.
AHEAD_MS = 2_000


@dataclass(frozen=True, slots=True)
class Timetable:
    """Intervals on the grid of UTC, named by their start in ms.

    Attributes:
        interval_ms: their length.
        delay_ms: how long after an interval's end it is asked for.
    """

    interval_ms: int
    delay_ms: int

    @classmethod
    def of(cls, minute: Minute) -> Timetable:
        """Return the timetable of the settings."""
        return cls(minute.interval_seconds * 1000, round(minute.delay_seconds * 1000))

    def ended(self, now_ms: int) -> int:
        """Return the interval that ended last."""
        return now_ms - now_ms % self.interval_ms - self.interval_ms

    def end(self, interval: int) -> int:
        """Return when an interval ends."""
        return interval + self.interval_ms

    def due(self, interval: int) -> int:
        """Return when an interval is to be asked for."""
        return self.end(interval) + self.delay_ms

    def newest_due(self, now_ms: int) -> int:
        """Return the newest interval that is due."""
        return self.ended(now_ms - self.delay_ms)

    def nearest(self, now_ms: int) -> int:
        """Return the interval that is due nearest to a moment, be it just before or after."""
        return self.newest_due(now_ms + self.interval_ms // 2)


def shown(interval: int) -> str:
    """Return an interval as people read it: the UTC time of its start."""
    return f"{from_millis(interval):%Y-%m-%dT%H:%M:%SZ}"


def wait_until(moment_ms: int, clock: Clock, ask_time: Callable[[], None]) -> None:
    """Wait until the exchange's clock shows a moment, after a fresh look at that clock.

    Args:
        moment_ms: by the exchange's clock.
        clock: shows it.
        ask_time: asks the exchange for its time, so that `clock` shows it anew.
    """
    is_fresh = False
    while (left := moment_ms - to_millis(clock.now())) > 0 or not is_fresh:
        if left <= AHEAD_MS and not is_fresh:
            ask_time()
            is_fresh = True
            continue
        ahead = 0 if is_fresh else AHEAD_MS
        clock.sleep(min(left - ahead, LONGEST_SLEEP_MS) / 1000)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Goes through the intervals of a timetable, one poll each, as long as it is wanted.

    Attributes:
        clock: the exchange's.
        ask_time: asks the exchange for its time.
        poll: asks for what is of an interval.
        missed: is told each interval that was due while nobody could ask.
    """

    timetable: Timetable
    clock: Clock
    ask_time: Callable[[], None]
    poll: Callable[[int], None]
    missed: Callable[[int], None]

    def run(self, *, seconds: int | None = None, times: int | None = None) -> None:
        """Poll from the interval that ended last on.

        Args:
            seconds: no interval is polled that is due later, by the exchange's clock.
            times: how many intervals are polled; None means without end.

        Raises:
            CandlelakeError: as `poll`.
        """
        self.ask_time()
        now = to_millis(self.clock.now())
        until_ms = None if seconds is None else now + seconds * 1000
        interval = self.timetable.ended(now)
        polled = 0
        while times is None or polled < times:
            if until_ms is not None and self.timetable.due(interval) > until_ms:
                return
            wait_until(self.timetable.due(interval), self.clock, self.ask_time)
            self.poll(interval)
            polled += 1
            interval = self._following(interval)

    def _following(self, interval: int) -> int:
        """Return the interval to poll next: of several that became due meanwhile the newest."""
        step = self.timetable.interval_ms
        newest = self.timetable.newest_due(to_millis(self.clock.now()))
        for passed in range(interval + step, newest, step):
            self.missed(passed)
        return max(interval + step, newest)
