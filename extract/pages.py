"""What paging needs of an exchange: rows with an id and a time, pages of them, and their checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

from extract.answer import Answer
from lake.errors import TransientExtractError


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
    """One instrument's trades at one exchange, addressed by id.

    Attributes:
        origin: the id that an instrument's first trade has.
        keeps_all: whether the exchange still gives the oldest trades; where it does not, ids below
            the first one that it gives are no hole of its own.
    """

    origin: int
    keeps_all: bool

    def clock_ms(self) -> int:
        """Return the exchange's own clock."""

    def first_at(self, time_ms: int) -> Row | None:
        """Return the first row at or after `time_ms`; None where there is none up to now."""

    def newest(self, check: Check) -> Row | None:
        """Return the newest row, None where there is none; what `check` rejects is asked again."""

    def page(self, first_id: int, last_id: int, check: Check) -> Page:
        """Return rows from `first_id` on; what `check` rejects is asked again."""


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
