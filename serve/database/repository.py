"""The repository between the API and a database, the same for PostgreSQL and SQLite."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lake.settings import Settings
from serve.database import questions
from serve.database.address import Address, address_of
from serve.database.asking import Answer, Asker, asker_of
from serve.database.intervals import BARS_A_BLOCK, MINUTES, block_ms, length_ms
from serve.database.questions import ALWAYS
from serve.database.rendering import unpacked
from serve.records import (
    Bar,
    Certificate,
    IndexPrice,
    Listing,
    Publication,
    RenderedBars,
    Run,
    Series,
    Stretch,
    Trade,
)
from serve.repository import Between

_COMPLETE = Bar._fields.index("is_complete")
_FILLED = Bar._fields.index("is_filled")
_CAUSES = Certificate._fields.index("causes")
NOTHING = RenderedBars(b"", 0, None)


def open_repository(settings: Settings) -> SqlRepository:
    """Return the repository of the database that the settings name; it connects when it is asked.

    Raises:
        SettingsError: the settings name none.
    """
    return repository_at(address_of(settings), settings.serve.database_connections)


def repository_at(address: Address, connections: int = 2) -> SqlRepository:
    """Return the repository of a database, which is asked over at most so many connections."""
    return SqlRepository(asker_of(address, connections))


class SqlRepository:
    """`serve.repository.Repository` on a database."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    async def publication(self) -> Publication:
        """Return the newest publication; number 0 where nothing was published."""
        found = await self._asker.ask(questions.PUBLICATION)
        return Publication(*found[0]) if found else Publication(0, 0)

    async def series(self) -> Sequence[Series]:
        """Return every series, sorted by exchange, kind, instrument and uid."""
        return [Series(*row) for row in await self._asker.ask(questions.SERIES)]

    async def bars(self, series_id: int, interval: str, between: Between) -> Sequence[Bar]:
        """Return current bars by `bar_start`."""
        question = questions.BARS[between.newest_first]
        found = await self._asker.ask(question, *_of(series_id, interval), *_bounds(between))
        return [_bar(row) for row in found]

    async def rendered_bars(
        self, series_id: int, interval: str, between: Between
    ) -> RenderedBars | None:
        """Return current bars as JSON objects in the API's default columns, ready to be sent."""
        minutes, (start, end, limit) = MINUTES[interval], _bounds(between)
        size = block_ms(minutes)
        low, high = start // size, (end - 1) // size
        pieces: list[bytes] = []
        count = 0
        while count <= limit and low <= high:
            wanted = (limit - count) // BARS_A_BLOCK + 2
            question = questions.BLOCKS[between.newest_first]
            found = await self._asker.ask(question, series_id, minutes, low, high, wanted)
            for block, bars, text_bytes, content in found:
                text = unpacked(content, text_bytes)
                first = block * size
                if start <= first and first + size <= end and not between.newest_first:
                    pieces.append(text)
                    count += bars
                else:
                    inside = _within(text, start, end)
                    if inside:
                        pieces.append(_joined(inside, reverse=between.newest_first))
                        count += len(inside)
                if count > limit:
                    break
            if len(found) < wanted:
                break
            last = found[-1][0]
            low, high = (low, last - 1) if between.newest_first else (last + 1, high)
        return _cut(pieces, count, limit)

    async def bars_as_of(
        self, series_id: int, interval: str, between: Between, as_of_us: int
    ) -> Sequence[Bar]:
        """Return the bars as they were known at a moment (µs), as `ohlcv_as_of(t)` does."""
        found = await self._asker.ask(
            questions.BARS_AS_OF[between.newest_first],
            *_of(series_id, interval),
            *_bounds(between),
            as_of_us,
        )
        return [_bar(row) for row in found]

    async def runs(
        self, series_id: int, interval: str, start: int | None, end: int | None
    ) -> Sequence[Run]:
        """Return the stretches without prints that touch `[start, end)`, by time."""
        first, last = _open(start, -ALWAYS), _open(end, ALWAYS)
        found = await self._asker.ask(questions.RUNS, series_id, MINUTES[interval], first, last)
        return [Run(*row) for row in found]

    async def close_before(self, series_id: int, interval: str, time: int) -> Bar | None:
        """Return the newest bar with a price that starts before `time`."""
        found = await self._asker.ask(questions.CLOSE_BEFORE, *_of(series_id, interval), time)
        return _bar(found[0]) if found else None

    async def index_prices(self, series_id: int, between: Between) -> Sequence[IndexPrice]:
        """Return prices by minute, one a minute."""
        question = questions.INDEX_PRICES[between.newest_first]
        found = await self._asker.ask(question, series_id, *_bounds(between))
        return [IndexPrice(*row) for row in found]

    async def trades(
        self, series_id: int, between: Between, after_seq: int | None
    ) -> Sequence[Trade]:
        """Return trades by `trade_seq`, behind `after_seq` where given; of published days alone."""
        start, end, limit = _bounds(between)
        in_us = (max(start, -ALWAYS // 1000) * 1000, min(end, ALWAYS // 1000) * 1000)
        question = questions.TRADES[between.newest_first]
        behind = -ALWAYS if after_seq is None else after_seq
        found = await self._asker.ask(question, series_id, *in_us, behind, limit)
        return [Trade(*row) for row in found]

    async def listings(self, exchange: str | None, kind: str | None) -> Sequence[Listing]:
        """Return instruments, sorted by exchange, kind, instrument and `valid_from`."""
        found = await self._asker.ask(questions.LISTINGS, exchange, kind)
        return [Listing(*row) for row in found]

    async def stretches(self, series: Series) -> Sequence[Stretch]:
        """Return the ledger of a series, by dataset and `first_id`."""
        listing = (series.exchange, series.kind, series.instrument_uid)
        return [Stretch(*row) for row in await self._asker.ask(questions.STRETCHES, *listing)]

    async def bars_a_day(self, series_id: int, interval: str) -> Mapping[int, int]:
        """Return how many complete bars each UTC day has, by the day's start in ms."""
        found = await self._asker.ask(questions.BARS_A_DAY, series_id, MINUTES[interval])
        return {row[0]: row[1] for row in found}

    async def certificates(self, series: Series, between: Between) -> Sequence[Certificate]:
        """Return certificates whose window touches `[start, end)`, newest check first."""
        listing = (series.exchange, series.kind, series.instrument)
        found = await self._asker.ask(questions.CERTIFICATES, *listing, *_bounds(between))
        return [_certificate(row) for row in found]

    async def close(self) -> None:
        """Give all connections back."""
        await self._asker.close()


def _of(series_id: int, interval: str) -> tuple[int, int, int]:
    minutes = MINUTES[interval]
    return series_id, minutes, length_ms(minutes)


def _bounds(between: Between) -> tuple[int, int, int]:
    return _open(between.start, -ALWAYS), _open(between.end, ALWAYS), between.limit


def _open(time: int | None, otherwise: int) -> int:
    return otherwise if time is None else max(-ALWAYS, min(ALWAYS, time))


def _bar(row: Answer) -> Bar:
    values = list(row)
    # SQLite's truth values are numbers
    values[_COMPLETE], values[_FILLED] = bool(values[_COMPLETE]), bool(values[_FILLED])
    return Bar(*values)


def _certificate(row: Answer) -> Certificate:
    values: list[Any] = list(row)
    values[_CAUSES] = json.loads(values[_CAUSES])
    return Certificate(*values)


def _joined(parts: Sequence[bytes], *, reverse: bool) -> bytes:
    return b"{" + b"},{".join(reversed(parts) if reverse else parts) + b"}"


def _within(text: bytes, start: int, end: int) -> list[bytes]:
    """Return the bars of a block that start in `[start, end)`, without their braces."""
    parts = text[1:-1].split(b"},{")
    return [part for part in parts if start <= _time(part) < end]


def _time(part: bytes) -> int:
    return int(part[7 : part.index(b",")])


def _cut(pieces: Sequence[bytes], count: int, limit: int) -> RenderedBars:
    """Return at most `limit` bars, and where the next one begins where there are more."""
    if not count:
        return NOTHING
    if count <= limit:
        return RenderedBars(b",".join(pieces), count, None)
    *whole, last = pieces
    parts = last[1:-1].split(b"},{")
    kept = len(parts) - (count - limit)
    if kept:
        whole.append(_joined(parts[:kept], reverse=False))
    return RenderedBars(b",".join(whole), limit, _time(parts[kept]))
