"""Candles: pages of them, sparse or filled, as they are or as they were known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from serve.api import cursors
from serve.api.answering import Made
from serve.api.errors import RefusedError, invalid, quoted
from serve.api.filling import LENGTHS, Carried, filled, slots
from serve.api.formats import Column, Kind
from serve.api.serving import Serving, within
from serve.records import Bar, Series
from serve.repository import Between

_KINDS: dict[str, Kind] = {
    "bar_start": "time",
    "bar_end": "time",
    "open": "price",
    "high": "price",
    "low": "price",
    "close": "price",
    "volume": "amount",
    "base_volume": "amount",
    "quote_volume": "amount",
    "trade_count": "integer",
    "taker_buy_volume": "amount",
    "taker_buy_base_volume": "amount",
    "taker_buy_quote_volume": "amount",
    "first_trade_seq": "integer",
    "last_trade_seq": "integer",
    "built_from": "text",
    "is_complete": "flag",
    "is_filled": "flag",
    "knowledge_us": "micros",
    "revision": "integer",
}
DEFAULT_COLUMNS = (
    "time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "base_volume",
    "quote_volume",
    "trade_count",
    "is_complete",
    "is_filled",
)
_PLACE = {name: place for place, name in enumerate(Bar._fields)}


class Shape(NamedTuple):
    """Which columns of bars are sent, and how they are taken from one."""

    columns: tuple[Column, ...]
    take: Callable[[Bar], Sequence[Any]]

    @classmethod
    def of(cls, names: Sequence[str], label: str) -> Shape:
        """Return the shape of these columns; `time` is the start or the end of a bar.

        Raises:
            RefusedError: 422, a bar has no such column, or one is named twice.
        """
        unknown = [name for name in names if name != "time" and name not in _KINDS]
        if unknown or len(set(names)) != len(names):
            what = f"name '{quoted(unknown[0])}'" if unknown else "name a column twice"
            hint = f"A bar has time, {', '.join(_KINDS)}."
            raise invalid("columns", what, hint=hint)
        stored = [f"bar_{label}" if name == "time" else name for name in names]
        columns = tuple(
            Column(name, _KINDS[field]) for name, field in zip(names, stored, strict=True)
        )
        places = [_PLACE[field] for field in stored]
        if len(places) == 1:
            only = places[0]
            return cls(columns, lambda bar: (bar[only],))
        return cls(columns, itemgetter(*places))


#: What is sent where nothing else is asked for.
USUAL = Shape.of(DEFAULT_COLUMNS, "start")


class BarsWanted(NamedTuple):
    """A page of bars: `[start, end)` in ms, in an order, from a cursor on."""

    series: Series
    interval: str
    start: int | None
    end: int | None
    limit: int
    newest_first: bool = False
    cursor: str | None = None
    as_of_us: int | None = None


class Page(NamedTuple):
    """Bars, and where the next page begins."""

    bars: Sequence[Bar]
    next_cursor: str | None


def require_bars(series: Series) -> None:
    """Refuse an index, which has prices and no bars.

    Raises:
        RefusedError: 422.
    """
    if series.series_type == "index":
        hint = f"Its prices: /api/v1/{series.exchange}/?ticker={series.instrument}"
        what = f"names the index {series.instrument}, which has no candles"
        raise invalid("instrument", what, hint=hint)


async def page(serving: Serving, wanted: BarsWanted) -> Page:
    """Return a page of bars with prints."""
    between = bounded(wanted)
    one_more = between._replace(limit=wanted.limit + 1)
    repository, identity = serving.repository, wanted.series.series_id
    if wanted.as_of_us is None:
        asked = repository.bars(identity, wanted.interval, one_more)
    else:
        asked = repository.bars_as_of(identity, wanted.interval, one_more, wanted.as_of_us)
    bars = await within(asked, serving.options)
    if len(bars) <= wanted.limit:
        return Page(bars, None)
    kept = bars[: wanted.limit]
    return Page(kept, next_cursor([bar.bar_start for bar in bars], wanted))


class RenderedPage(NamedTuple):
    """Bars in the usual columns as a JSON array, how many, and where the next page begins."""

    content: bytes
    row_count: int
    next_cursor: str | None


async def rendered_page(serving: Serving, wanted: BarsWanted) -> RenderedPage | None:
    """Return a page of current bars with prints as the database keeps it rendered, if it does."""
    repository, identity = serving.repository, wanted.series.series_id
    asked = repository.rendered_bars(identity, wanted.interval, bounded(wanted))
    found = await within(asked, serving.options)
    if found is None:
        return None
    more = None
    if found.next_start is not None:
        # going down, a cursor is the first time that is left out
        place = found.next_start + 1 if wanted.newest_first else found.next_start
        more = cursors.written("d" if wanted.newest_first else "a", place)
    return RenderedPage(b"[" + found.content + b"]", found.count, more)


def made_of(head: Mapping[str, Any], ready: RenderedPage) -> Made:
    """Return what is answered with a rendered page."""
    return Made(
        head,
        "bars",
        USUAL.columns,
        (),
        ready.next_cursor,
        rendered=ready.content,
        row_count=ready.row_count,
    )


def bounded(wanted: BarsWanted) -> Between:
    """Return the range of a page: what its cursor leaves of the range asked for.

    Raises:
        RefusedError: 422, the cursor is none of this order.
    """
    start, end = wanted.start, wanted.end
    if wanted.cursor is not None:
        place = cursors.read(wanted.cursor, "d" if wanted.newest_first else "a")
        if wanted.newest_first:
            end = place if end is None else min(place, end)
        else:
            start = place if start is None else max(place, start)
    return Between(start, end, wanted.limit, wanted.newest_first)


def next_cursor(times: Sequence[int], wanted: BarsWanted) -> str:
    """Return the cursor behind a page, of whose rows one more was read than is sent."""
    if wanted.newest_first:
        return cursors.written("d", times[wanted.limit - 1])
    return cursors.written("a", times[wanted.limit])


async def filled_page(serving: Serving, wanted: BarsWanted) -> Page:
    """Return a page of bars without gaps: the slots of a window in time, halts left out.

    Raises:
        RefusedError: 422, as-of and filled are asked for together, or a bad cursor.
    """
    if wanted.as_of_us is not None:
        hint = "Ask for filled bars as they are now, or for sparse ones as they were known."
        raise invalid("filled", "can't be joined with `as_of`", hint=hint)
    span = _span(wanted)
    if span is None:
        return Page((), None)
    first, last = span
    length = LENGTHS[wanted.interval]
    size = wanted.limit * length
    start, end = (
        (max(first, last - size), last) if wanted.newest_first else (first, min(last, first + size))
    )
    rows = await _filled_window(serving, wanted, start, end)
    if wanted.newest_first:
        more = cursors.written("d", start) if start > first else None
        return Page(rows[::-1], more)
    return Page(rows, cursors.written("a", end) if end < last else None)


def _span(wanted: BarsWanted) -> tuple[int, int] | None:
    """Return the first slot and the end of the last one that the range may hold."""
    series, length = wanted.series, LENGTHS[wanted.interval]
    if series.first_time is None or series.last_time is None:
        return None
    asked = bounded(wanted)
    first = series.first_time // length * length
    until = series.told_until(length)
    start = first if asked.start is None else max(first, -(-asked.start // length) * length)
    end = -(-(until if asked.end is None else min(until, asked.end)) // length) * length
    return (start, end) if start < end else None


async def _filled_window(serving: Serving, wanted: BarsWanted, start: int, end: int) -> list[Bar]:
    repository, options, length = serving.repository, serving.options, LENGTHS[wanted.interval]
    identity, interval = wanted.series.series_id, wanted.interval
    between = Between(start, end, wanted.limit)
    bars = await within(repository.bars(identity, interval, between), options)
    runs = await within(repository.runs(identity, interval, start, end), options)
    found = list(slots(bars, runs, length, (start, end)))
    if not found or (found[0].bar is not None and found[0].bar.close is not None):
        return filled(found, None, length)
    return filled(found, await _carried(serving, wanted, found[0].start), length)


async def _carried(serving: Serving, wanted: BarsWanted, time: int) -> Carried | None:
    """Return the close that is known right before a time: none behind an unknown stretch."""
    repository, options = serving.repository, serving.options
    identity, interval = wanted.series.series_id, wanted.interval
    bar = await within(repository.close_before(identity, interval, time), options)
    if bar is None or bar.close is None:
        return None
    runs = await within(repository.runs(identity, interval, bar.bar_end, time), options)
    if any(run.state == "unknown" and run.from_time < time for run in runs):
        return None
    return Carried(bar.close, bar.is_complete)


def nothing_yet(series: Series) -> RefusedError:
    """Return the refusal of a series without rows."""
    what = f"{series.exchange} {series.kind} {series.instrument} has no rows yet"
    return RefusedError(404, "nothing_yet", what, hint="See /api/v1/coverage.")
