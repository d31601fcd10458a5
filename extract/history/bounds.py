"""The ends of a window in ids: where an instrument's trades begin and end, by a few questions."""

from __future__ import annotations

from dataclasses import dataclass

from extract import search
from extract.coverage import Missing
from extract.pages import Row, TradeSource, check_rows
from extract.paging import SETTLED_MS

#: More rows than this no exchange answers at once.
PAGE = 1000


@dataclass(frozen=True, slots=True)
class Bounds:
    """The ids that lie in a window.

    Attributes:
        wanted: the range; nothing is known of the time beyond its ends where the window is open.
        head: ids below the first one that the exchange still gives: its own hole.
        probes: how many pages were looked at to find the range.
        venue_clock_ms: the exchange's clock.
    """

    wanted: Missing
    head: Missing | None
    probes: int
    venue_clock_ms: int


def bounds_of(source: TradeSource, start_ms: int | None, end_ms: int | None) -> Bounds | None:
    """Return the ids with a time in [`start_ms`, `end_ms`), None where there are none.

    Args:
        source: the instrument at its exchange.
        start_ms: None means since the first trade.
        end_ms: None, or a time to come, means up to the newest trade.

    Raises:
        UnreachableError, BannedError, PermanentExtractError: as `Client.ask`.
    """
    clock_ms = source.clock_ms()
    newest = source.newest(lambda _: None)
    if newest is None or (start_ms is not None and newest.time_ms < start_ms):
        return None
    probe = _Probe(source)
    first = probe.first_row() or newest
    low = first if start_ms is None else _found(probe, newest, start_ms)
    last_id, until_ms = newest.id, None
    if end_ms is not None and end_ms + SETTLED_MS <= clock_ms:
        until_ms = end_ms
        if newest.time_ms >= end_ms:
            last_id = _found(probe, newest, end_ms).id - 1
    if low.id > last_id:
        return None
    is_first = low.id == first.id
    leaves_out = source.keeps_all and is_first and first.id > source.origin
    head = Missing(source.origin, first.id - 1) if leaves_out else None
    from_ms = (start_ms or 0) if source.keeps_all or not is_first else None
    return Bounds(Missing(low.id, last_id, from_ms, until_ms), head, probe.asked, clock_ms)


class _Probe:
    """Asks for pages by id, and remembers the first one."""

    def __init__(self, source: TradeSource) -> None:
        self._source = source
        self._first: list[Row] | None = None
        self.asked = 0

    @property
    def origin(self) -> int:
        return self._source.origin

    def __call__(self, first_id: int) -> list[Row]:
        if first_id == self.origin and self._first is not None:
            return self._first
        self.asked += 1
        last_id = first_id + PAGE - 1
        page = self._source.page(first_id, last_id, lambda rows: check_rows(rows, first_id, -1))
        if first_id == self.origin:
            self._first = list(page.rows)
        return list(page.rows)

    def first_row(self) -> Row | None:
        return next(iter(self(self.origin)), None)


def _found(probe: _Probe, newest: Row, time_ms: int) -> Row:
    return search.first_at(probe, newest, time_ms, origin=probe.origin).row or newest
