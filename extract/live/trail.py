"""Follows the ids of one stream: a jump forward is a hole, an id that jumps back is no news."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from extract.coverage import DAY_MS, Missing

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hole:
    """Ids that are not held, both ends included.

    Attributes:
        first_id, last_id: the ids.
        since_seconds: when the hole showed, by the clock of the event loop.
    """

    first_id: int
    last_id: int
    since_seconds: float

    @property
    def missing(self) -> Missing:
        """The ids as they are asked for."""
        return Missing(self.first_id, self.last_id)

    @property
    def ids(self) -> int:
        """How many they are."""
        return self.last_id - self.first_id + 1


class Trail:
    """The ids that one stream has shown, over all its connections.

    Two connections side by side show the same ids twice, and one may be ahead: what comes late
    closes the hole that it left, without any question to the exchange.

    Args:
        most_ids: a jump of more is asked of nobody, and ids that come from so far below the
            newest one are taken for the true ones again.

    Attributes:
        newest: the highest id that is held or has been seen, None where there is none.
        newest_ms: the time of the last row, 0 where there is none.
        came_late: holes that ids closed by themselves.
    """

    def __init__(self, most_ids: int) -> None:
        self.newest: int | None = None
        self.newest_ms = 0
        self.came_late = 0
        self._most_ids = most_ids
        self._holes: list[Hole] = []

    def begin(self, newest: int, holes: Iterable[Missing], now_seconds: float) -> int:
        """Go on from what is held; return how many holes it has already."""
        self.newest = newest
        self._holes = [Hole(one.first_id, one.last_id, now_seconds) for one in holes]
        return len(self._holes)

    def believes(self, times: Sequence[int], horizon_ms: int) -> bool:
        """Tell whether times are none that only a fault has: ahead of us, or a day gone by."""
        return self.newest_ms - DAY_MS <= times[0] and times[-1] < horizon_ms

    def see(self, ids: Sequence[int], times: Sequence[int], now_seconds: float) -> int:
        """Follow the ids of a frame; return how many holes that has opened."""
        self.newest_ms = times[-1]
        if len(ids) == 1 and self.newest is not None and ids[0] == self.newest + 1:
            self.newest = ids[0]
            return 0
        return sum(self._seen(one, now_seconds) for one in ids)

    def reached(self, newest: int, now_seconds: float) -> int:
        """Take note of an id that exists, seen or not; return how many holes that has opened."""
        if self.newest is None or newest <= self.newest:
            return 0
        opened = self._opened(self.newest + 1, newest, now_seconds)
        self.newest = newest
        return opened

    def due(self, before_seconds: float) -> list[Hole]:
        """Give away the holes that have been open since `before_seconds`."""
        found = [hole for hole in self._holes if hole.since_seconds <= before_seconds]
        self._holes = [hole for hole in self._holes if hole.since_seconds > before_seconds]
        return found

    def _seen(self, one: int, now_seconds: float) -> int:
        newest = self.newest
        if newest is None or one == newest + 1:
            self.newest = one
            return 0
        if one > newest:
            self.newest = one
            return self._opened(newest + 1, one - 1, now_seconds)
        if newest - one > self._most_ids:
            log.warning("ids went back from %d to %d: followed from there", newest, one)
            self.newest = one
            return 0
        return self._came_late(one)

    def _opened(self, first: int, last: int, now_seconds: float) -> int:
        self._holes.append(Hole(first, last, now_seconds))
        return 1

    def _came_late(self, one: int) -> int:
        """Take an id out of the hole that it was missing in."""
        for n, hole in enumerate(self._holes):
            if hole.first_id <= one <= hole.last_id:
                parts = (
                    Hole(hole.first_id, one - 1, hole.since_seconds),
                    Hole(one + 1, hole.last_id, hole.since_seconds),
                )
                left = [part for part in parts if part.ids]
                self._holes[n : n + 1] = left
                self.came_late += not left
                return len(left) == 2
        return 0
