"""Pages through trades by id, never by time, and cuts them into files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, NamedTuple, Protocol

from extract.answer import Answer
from extract.coverage import DAY_MS, Gap, month_end
from lake.bronze import Coverage
from lake.errors import TransientExtractError

#: A trade may show a little after the exchange's clock has passed it.
SETTLED_MS = 1000
#: A time so far beyond the exchange's clock is a fault of its row and proves nothing.
BELIEVED_AHEAD_MS = DAY_MS


class Row(NamedTuple):
    """What paging needs of a trade: its id in the instrument's order, and its time in ms."""

    id: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class Page:
    """One answer with its rows; `full` says that the exchange may hold more right behind it."""

    answer: Answer
    rows: Sequence[Row]
    full: bool


Check = Callable[[Sequence[Row]], None]


class TradeSource(Protocol):
    """One instrument's trades at one exchange, addressed by id."""

    def clock_ms(self) -> int:
        """Return the exchange's own clock."""

    def first_at(self, time_ms: int) -> Row | None:
        """Return the first row at or after `time_ms`; None where there is none up to now."""

    def newest(self, check: Check) -> Row | None:
        """Return the newest row, None where there is none; what `check` rejects is asked again."""

    def page(self, first_id: int, last_id: int, check: Check) -> Page:
        """Return rows from `first_id` on; what `check` rejects is asked again."""


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


class Pager:
    """Pages through the gaps of one instrument.

    Args:
        source: the instrument at its exchange.
        clock_ms: the exchange's clock, read before the first page: nothing beyond it is claimed.
        ids_per_file: files are cut where ids are divisible by it, so their names repeat.
    """

    def __init__(self, source: TradeSource, *, clock_ms: int, ids_per_file: int) -> None:
        self._source = source
        self._clock_ms = clock_ms
        self._ids_per_file = ids_per_file
        self._newest_id = -1
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


def read_rows(entries: Sequence[Any], id_name: str, time_name: str) -> list[Row]:
    """Return the ids and times of a page; nothing else of a row is looked at.

    An entry without a readable id or time is passed over: it stays in the raw body, for the silver
    job to judge.

    Raises:
        TransientExtractError: no entry at all can be read.
    """
    rows = []
    for entry in entries:
        try:
            rows.append(Row(int(entry[id_name]), int(entry[time_name])))
        except (KeyError, TypeError, ValueError):
            continue
    if entries and not rows:
        raise TransientExtractError(f"no row with a usable '{id_name}' and '{time_name}'")
    return rows


def check_rows(rows: Sequence[Row], asked: int, known_newest: int) -> None:
    """Reject a page that no honest exchange gives.

    A first id above the one asked is the exchange's own hole and passes. An id that comes twice
    in a row passes too: what its two rows say is for the silver job to judge.

    Raises:
        TransientExtractError: the page is empty though more is known to exist, repeats ids that
            were answered before, or goes backwards.
    """
    if not rows:
        if known_newest >= asked:
            raise TransientExtractError(
                f"an empty page from id {asked} on, though id {known_newest} exists"
            )
        return
    if rows[0].id < asked:
        raise TransientExtractError(f"a page repeats id {rows[0].id}, asked was {asked} and later")
    for before, after in pairwise(rows):
        if after.id < before.id:
            raise TransientExtractError(f"a page goes backwards from id {before.id} to {after.id}")


def _from_ms(filled: _Filled, since: int) -> int:
    """Return from when on a file that goes on from another is whole by itself.

    Trades of its first millisecond may lie in the file before. It stays within the month, whose
    folder it is looked for in.
    """
    first = filled.inside[0].time_ms if filled.inside else since
    return min(first + 1, month_end(first) - 1)
