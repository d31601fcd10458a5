"""Pages through trades by id, never by time, and cuts them into files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from extract.coverage import DAY_MS, Gap, month_end, month_start
from extract.pages import Page, Row, TradeSource, check_rows
from lake.bronze import Coverage
from lake.errors import TransientExtractError

#: A trade may show a little after the exchange's clock has passed it.
SETTLED_MS = 1000
#: A time so far beyond the exchange's clock is a fault of its row and proves nothing.
BELIEVED_AHEAD_MS = DAY_MS


@dataclass(frozen=True, slots=True)
class TradeFile:
    """The pages of one bronze file, what they cover, and the rows within that."""

    pages: Sequence[Page]
    coverage: Coverage

    @property
    def rows(self) -> int:
        """How many rows lie within the covered ids."""
        held = self.coverage
        return sum(held.first_id <= row.id <= held.last_id for p in self.pages for row in p.rows)


@dataclass(slots=True)
class _Filled:
    """A file in the making."""

    pages: list[Page] = field(default_factory=list)
    inside: list[Row] = field(default_factory=list)
    last_id: int = -1
    ended: Literal["grid", "gap", "newest"] = "grid"
    beyond: Row | None = None


class Pager:
    """Pages through the gaps of one instrument.

    Args:
        source: the instrument at its exchange.
        clock_ms: the exchange's clock, read before the first page: nothing beyond it is claimed.
        ids_per_file: files are cut where ids are divisible by it, so their names repeat.
        known_newest: an id that is known to exist already, as high as known.
    """

    def __init__(
        self, source: TradeSource, *, clock_ms: int, ids_per_file: int, known_newest: int = -1
    ) -> None:
        self._source = source
        self._clock_ms = clock_ms
        self._ids_per_file = ids_per_file
        self._newest_id = known_newest
        self._seen_id = -1
        self._horizon_ms = clock_ms + BELIEVED_AHEAD_MS
        #: the latest answer of `first_at`, good for every later time up to the row's own
        self._asked_from_ms, self._answered = 0, Row(-1, -1)

    def files(self, gap: Gap) -> Iterator[TradeFile]:
        """Yield the files that close a gap, each as soon as it is whole.

        An empty gap yields one file without rows, so that it is not asked again; a gap whose end
        the exchange's clock has not passed is claimed up to its last trade only.

        Raises:
            UnreachableError: a page stayed impossible after all attempts.
        """
        if gap.after_id is None:
            first, empty = self._first_by_time(gap)
        else:
            first, empty = gap.after_id + 1, False
        if empty:
            yield TradeFile([], Coverage(first, first - 1, gap.from_ms, gap.until_ms))
        elif first >= 0:
            yield from self._files_from(first, gap)

    def span(
        self,
        first_id: int,
        last_id: int,
        *,
        from_ms: int | None = None,
        until_ms: int | None = None,
    ) -> Iterator[TradeFile]:
        """Yield the files of a range of ids that nobody else pages: one for each of its months.

        What the exchange has not made yet is not claimed; a range that lies in a hole of the
        exchange yields one file without rows.

        Args:
            first_id: the lowest id, included.
            last_id: the highest one, included; not beyond a cell of `ids_per_file`.
            from_ms: from when on nothing lies below `first_id`, None where nobody knows.
            until_ms: up to when nothing lies above `last_id`, None where nobody knows.

        Raises:
            UnreachableError: a page stayed impossible after all attempts.
        """
        filled = self._filled(first_id, Gap(0, 0, first_id - 1, last_id + 1))
        if filled.ended == "newest":
            until_ms = None
        if filled.inside:
            yield from _by_month(filled, first_id, from_ms, until_ms)
        elif filled.ended != "newest":
            # a hole of the exchange, or rows with times that nobody believes: silver judges them
            beyond = filled.beyond.time_ms if filled.beyond else self._clock_ms
            time_ms = min(beyond, self._clock_ms)
            yield TradeFile(filled.pages, Coverage(first_id, filled.last_id, time_ms, time_ms))

    def _first_by_time(self, gap: Gap) -> tuple[int, bool]:
        """Return the gap's first id and whether the gap is proved empty; -1 where neither."""
        row = self._first_at(gap.from_ms)
        if row is None:
            newest = self._source.newest(_anything)
            if newest is None or newest.time_ms < gap.from_ms:
                return (newest.id + 1 if newest else 0, True) if self._settled(gap) else (-1, False)
            row = newest  # it was made between the two questions, so it is the first
        self._seen_id = max(self._seen_id, row.id)
        bound = row.id if gap.before_id is None else min(row.id, gap.before_id)
        empty = row.time_ms >= gap.until_ms if gap.before_id is None else bound == gap.before_id
        return bound, empty

    def _first_at(self, time_ms: int) -> Row | None:
        if self._asked_from_ms <= time_ms <= self._answered.time_ms:
            return self._answered
        row = self._source.first_at(time_ms)
        if row is not None:
            self._asked_from_ms, self._answered = time_ms, row
        return row

    def _files_from(self, first: int, gap: Gap) -> Iterator[TradeFile]:
        since, opening = gap.from_ms, gap.after_id is None
        while True:
            filled = self._filled(first, gap)
            from_ms = gap.from_ms if opening else _from_ms(filled, since)
            since = max((row.time_ms for row in filled.inside), default=since)
            proved = filled.ended == "gap" or (filled.ended == "newest" and self._settled(gap))
            until_ms = gap.until_ms if proved else since
            if filled.inside or filled.ended != "newest" or proved:
                yield TradeFile(filled.pages, Coverage(first, filled.last_id, from_ms, until_ms))
            if filled.ended != "grid":
                return
            first, opening = filled.last_id + 1, False

    def _filled(self, first: int, gap: Gap) -> _Filled:
        """Page from `first` to the end of its grid cell, of the gap, or of what exists."""
        last = (first // self._ids_per_file + 1) * self._ids_per_file - 1
        if gap.before_id is not None:
            last = min(last, gap.before_id - 1)
        filled, following = _Filled(), first
        while following <= last:
            page = self._page(following, last)
            cut, by_time = self._edge(page.rows, last, gap)
            filled.inside.extend(r for r in page.rows[:cut] if r.time_ms <= self._horizon_ms)
            if page.rows:
                filled.pages.append(page)
                self._seen_id = max(self._seen_id, page.rows[-1].id)
            if cut < len(page.rows):
                return self._cut(filled, page.rows[cut], gap, by_time=by_time)
            following = page.rows[-1].id + 1 if page.rows else following
            if not page.full and not self._exists(following):
                filled.pages.extend([] if page.rows else [page])
                filled.last_id, filled.ended = following - 1, "newest"
                return filled
        filled.last_id = last
        filled.ended = "gap" if last + 1 == gap.before_id else "grid"
        return filled

    def _edge(self, rows: Sequence[Row], last: int, gap: Gap) -> tuple[int, bool]:
        """Return how many rows belong to the file, and whether the gap's end cuts there.

        Where the id of the gap's end is known, times do not matter: rows of one millisecond may
        lie on both sides of it.
        """
        by_id = next((n for n, row in enumerate(rows) if row.id > last), len(rows))
        if gap.before_id is not None:
            return by_id, False
        by_time = next(
            (n for n in range(len(rows), 0, -1) if rows[n - 1].time_ms < gap.until_ms), 0
        )
        if all(row.time_ms > self._horizon_ms for row in rows[by_time:]):
            by_time = len(rows)
        return min(by_id, by_time), by_time <= by_id and by_time < len(rows)

    def _cut(self, filled: _Filled, beyond: Row, gap: Gap, *, by_time: bool) -> _Filled:
        """End a file before the first row that is not its own: no id lies between."""
        filled.beyond = beyond
        filled.last_id = beyond.id - 1
        if gap.before_id is not None and beyond.id >= gap.before_id:
            filled.last_id, by_time = gap.before_id - 1, True
        filled.ended = "gap" if by_time else "grid"
        return filled

    def _page(self, first: int, last: int) -> Page:
        return self._source.page(first, last, lambda rows: check_rows(rows, first, self._newest_id))

    def _exists(self, following: int) -> bool:
        if self._newest_id < following:
            newest = self._source.newest(self._check_newest)
            self._newest_id = newest.id if newest else -1
        return self._newest_id >= following

    def _check_newest(self, rows: Sequence[Row]) -> None:
        found = rows[-1].id if rows else -1
        if found < self._seen_id:
            raise TransientExtractError(
                f"the newest id is said to be {found}, though {self._seen_id} was answered before"
            )

    def _settled(self, gap: Gap) -> bool:
        return self._clock_ms >= gap.until_ms + SETTLED_MS


def _anything(rows: Sequence[Row]) -> None:
    """Reject nothing."""
    del rows


def _by_month(
    filled: _Filled, first_id: int, from_ms: int | None, until_ms: int | None
) -> Iterator[TradeFile]:
    """Cut what was paged where a month (UTC) turns: a file lies in the folder of one month.

    A page that holds a turn is kept in both files; each counts its own ids only.
    """
    rows = filled.inside
    start = month_start(rows[0].time_ms)
    since = max(from_ms, start) if from_ms is not None else _from_ms(filled, 0)
    while rows:
        turn = month_end(since)
        own = max((n for n, row in enumerate(rows, 1) if row.time_ms < turn), default=0)
        following = rows[own] if own < len(rows) else None
        if following is not None:
            last_id, until = following.id - 1, turn
        else:
            last_id = filled.last_id
            until = min(until_ms, turn) if until_ms is not None else rows[-1].time_ms
        held = Coverage(first_id, last_id, since, max(since, until))
        pages = [page for page in filled.pages if _overlap(page, held)]
        yield TradeFile(pages, held)
        first_id, rows = last_id + 1, rows[own:]
        since = month_start(rows[0].time_ms) if rows else since


def _overlap(page: Page, held: Coverage) -> bool:
    return bool(page.rows) and page.rows[0].id <= held.last_id and page.rows[-1].id >= held.first_id


def _from_ms(filled: _Filled, since: int) -> int:
    """Return from when on a file that goes on from another is whole by itself.

    Trades of its first millisecond may lie in the file before. It stays within the month, whose
    folder it is looked for in.
    """
    first = filled.inside[0].time_ms if filled.inside else since
    return min(first + 1, month_end(first) - 1)
