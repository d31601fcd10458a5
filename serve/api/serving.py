"""What every route works with: the database, the newest publication, the series, kept answers."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from serve.api.catalogue import Catalogue
from serve.api.errors import unavailable
from serve.records import Publication, Series
from serve.repository import Repository

Found = TypeVar("Found")

#: A publication's number is asked for so often, whoever asks.
FRESH_SECONDS = 0.5
#: Histories that are streamed at once in one process: each holds a block of rows.
MOST_STREAMS = 40
#: What is kept of answers, in bytes, and of one at most.
MOST_KEPT = 32 << 20
LARGEST_KEPT = 1 << 20


class Options(NamedTuple):
    """What of the settings the routes go by."""

    intervals: tuple[str, ...]
    page_rows: int
    most_rows: int
    statement_seconds: float


class Kept(NamedTuple):
    """A body that was made for a publication, as it was sent."""

    body: bytes
    headers: dict[str, str]
    rows: int


class Answers:
    """The answers of late, the one that was wanted longest ago forgotten first."""

    def __init__(self, most_bytes: int = MOST_KEPT) -> None:
        self._most = most_bytes
        self._held: OrderedDict[str, Kept] = OrderedDict()
        self._bytes = 0

    def get(self, tag: str) -> Kept | None:
        """Return an answer."""
        kept = self._held.get(tag)
        if kept is not None:
            self._held.move_to_end(tag)
        return kept

    def put(self, tag: str, kept: Kept) -> None:
        """Keep an answer, unless it is large."""
        if len(kept.body) > LARGEST_KEPT or tag in self._held:
            return
        self._held[tag] = kept
        self._bytes += len(kept.body)
        while self._bytes > self._most:
            _, oldest = self._held.popitem(last=False)
            self._bytes -= len(oldest.body)


@dataclass
class Serving:
    """One process of the API on one database."""

    repository: Repository
    options: Options
    answers: Answers = field(default_factory=Answers)
    streams: int = 0
    seconds_now: Callable[[], float] = time.monotonic
    _publication: Publication | None = None
    _asked_until: float = 0
    _catalogue: Catalogue | None = None
    _catalogue_of: int = -1
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def publication(self) -> Publication:
        """Return the newest publication, at most half a second old.

        A number is always older than rows that are read after it: what is kept under a number
        may be newer than it, and never older.
        """
        if self._publication is not None and self.seconds_now() < self._asked_until:
            return self._publication
        async with self._lock:
            if self._publication is None or self.seconds_now() >= self._asked_until:
                found = await within(self.repository.publication(), self.options)
                self._publication = found
                self._asked_until = self.seconds_now() + FRESH_SECONDS
            return self._publication

    async def catalogue(self) -> Catalogue:
        """Return the series of the newest publication."""
        publication = await self.publication()
        if self._catalogue is None or self._catalogue_of != publication.number:
            async with self._lock:
                if self._catalogue is None or self._catalogue_of != publication.number:
                    series = await within(self.repository.series(), self.options)
                    self._catalogue = Catalogue(series)
                    self._catalogue_of = publication.number
        return self._catalogue

    async def find(
        self, exchange: str, name: str, *, kind: str | None = None, uid: str | None = None
    ) -> Series:
        """Return a series of the newest publication by the venue's name.

        Raises:
            RefusedError: as `Catalogue.find`.
        """
        return (await self.catalogue()).find(exchange, name, kind=kind, uid=uid)


async def within(answer: Awaitable[Found], options: Options) -> Found:
    """Wait for an answer of the database, no longer than statements may take, and a second.

    Raises:
        RefusedError: 503, it took longer.
    """
    try:
        async with asyncio.timeout(options.statement_seconds + 1):
            return await answer
    except TimeoutError:
        hint = "Ask for less at once, or again in a moment."
        raise unavailable("too_slow", "The database did not answer in time", hint) from None
