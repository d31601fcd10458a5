"""`/api/v1/{exchange}/`, `latest` and `filter`: a ticker's minutes, bars or an index's prices."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from serve.api import bars as candles
from serve.api.answering import PREFIX, ROWS, Made, answered, described, serving_of
from serve.api.bars import USUAL, BarsWanted, nothing_yet
from serve.api.errors import invalid, unavailable
from serve.api.formats import MEDIA, WRITERS, Column, Format, Rows, chosen, comma_separated
from serve.api.questions import (
    FilterQuestion,
    HistoryQuestion,
    TickerQuestion,
    asked,
    parameters,
    require_order,
    rows_of,
)
from serve.api.replies import HistoryReply, LatestReply
from serve.api.serving import MOST_STREAMS, Serving, within
from serve.records import IndexPrice, Publication, Series
from serve.repository import Between

router = APIRouter(prefix=PREFIX, tags=["tickers"])
MINUTES = "1m"
#: Rows that a stream reads at a time.
STREAM_ROWS = 5000
STREAMED: tuple[Format, ...] = ("ndjson", "csv")
PRICES: tuple[Column, ...] = (
    Column("time", "time"),
    Column("price", "price"),
    Column("price_time_us", "micros"),
    Column("timestamp_source", "text"),
    Column("price_source", "text"),
)
Exchange = Annotated[
    str, Path(max_length=100, description="binance, deribit …", examples=["deribit"])
]


class Rowset(NamedTuple):
    """A page of a ticker's minutes, whatever it is."""

    columns: Sequence[Column]
    rows: Rows
    next_cursor: str | None


@router.get("/{exchange}", include_in_schema=False, response_model=None)
@router.get(
    "/{exchange}/",
    summary="The whole history of a ticker",
    response_model=None,
    openapi_extra=parameters(HistoryQuestion),
    responses=described(HistoryReply, errors=(404, 409)),
)
async def history(request: Request, exchange: Exchange) -> Response:
    """Minute prices of an index, one-minute bars of an instrument: in pages, or streamed.

    With `stream=true` every row comes in one answer, as NDJSON (or CSV: `format=csv`).
    """
    question = asked(request, HistoryQuestion)
    return await _history(request, exchange, question, (None, None))


@router.get(
    "/{exchange}/filter",
    summary="The history of a ticker in a range of time",
    response_model=None,
    openapi_extra=parameters(FilterQuestion),
    responses=described(HistoryReply, errors=(404, 409)),
)
async def history_between(request: Request, exchange: Exchange) -> Response:
    """As the whole history, of `[start_date, end_date)` alone; a bare end date is in, whole."""
    question = asked(request, FilterQuestion)
    start, end = question.start_date, question.end_date
    if start is None and end is None:
        hint = "The whole history is at /api/v1/{exchange}/?ticker=…"
        raise invalid("start_date", "or `end_date` is required", hint=hint)
    require_order(start, end, ("start_date", "end_date"))
    return await _history(request, exchange, question, (start, end))


@router.get(
    "/{exchange}/latest",
    summary="The newest minute of a ticker",
    response_model=None,
    openapi_extra=parameters(TickerQuestion),
    responses=described(LatestReply, errors=(404, 409)),
)
async def latest(request: Request, exchange: Exchange) -> Response:
    """The newest price of an index, the newest one-minute bar of an instrument."""
    question = asked(request, TickerQuestion)
    serving = serving_of(request)

    async def make(publication: Publication, _: Format) -> Made:
        series = await serving.find(exchange, question.ticker, kind=question.kind)
        head = _head(series, publication)
        if series.series_type == "bars":
            return await _newest_bar(serving, series, head)
        between = Between(None, None, 1, newest_first=True)
        asked = serving.repository.index_prices(series.series_id, between)
        prices = await within(asked, serving.options)
        if not prices:
            raise nothing_yet(series)
        return Made(head, "price", PRICES, prices, single=True)

    return await answered(request, question.format, make)


async def _newest_bar(serving: Serving, series: Series, head: Mapping[str, Any]) -> Made:
    wanted = BarsWanted(series, MINUTES, None, None, 1, newest_first=True)
    ready = await candles.rendered_page(serving, wanted)
    made = None if ready is None else candles.made_of(head, ready)
    if made is None:
        found = await candles.page(serving, wanted)
        made = Made(head, "bar", USUAL.columns, [USUAL.take(bar) for bar in found.bars])
    if not made.row_count and not made.rows:
        raise nothing_yet(series)
    return made._replace(key="bar", single=True, next_cursor=None)


async def _history(
    request: Request,
    exchange: str,
    question: HistoryQuestion,
    span: tuple[int | None, int | None],
) -> Response:
    serving = serving_of(request)
    if question.stream:
        return await _streamed(request, exchange, question, span)
    limit = rows_of(question.limit, serving.options)

    async def make(publication: Publication, wanted_format: Format) -> Made:
        series = await serving.find(exchange, question.ticker, kind=question.kind)
        is_bars = series.series_type == "bars"
        columns = USUAL.columns if is_bars else PRICES
        names = [column.name for column in columns]
        head = {**_head(series, publication), "columns": names}
        wanted = _wanted(series, question, span, limit)
        if is_bars and wanted_format == "json":
            ready = await candles.rendered_page(serving, wanted)
            if ready is not None:
                return candles.made_of(head, ready)
        found = await _page(serving, wanted)
        key = "bars" if is_bars else "prices"
        return Made(head, key, columns, found.rows, found.next_cursor)

    return await answered(request, question.format, make)


def _wanted(
    series: Series, question: HistoryQuestion, span: tuple[int | None, int | None], limit: int
) -> BarsWanted:
    newest_first = question.order == "desc"
    return BarsWanted(series, MINUTES, *span, limit, newest_first, question.cursor)


def _head(series: Series, publication: Publication) -> dict[str, Any]:
    return {
        "exchange": series.exchange,
        "kind": series.kind,
        "instrument": series.instrument,
        "series_type": series.series_type,
        "interval": MINUTES,
        "complete_until": series.complete_until,
        "publication": publication.number,
    }


async def _page(serving: Serving, wanted: BarsWanted) -> Rowset:
    if wanted.series.series_type == "bars":
        found = await candles.page(serving, wanted)
        return Rowset(USUAL.columns, [USUAL.take(bar) for bar in found.bars], found.next_cursor)
    return await prices_page(serving, wanted)


async def prices_page(serving: Serving, wanted: BarsWanted) -> Rowset:
    """Return a page of an index's prices."""
    between = candles.bounded(wanted)._replace(limit=wanted.limit + 1)
    asked = serving.repository.index_prices(wanted.series.series_id, between)
    prices: Sequence[IndexPrice] = await within(asked, serving.options)
    more = None
    if len(prices) > wanted.limit:
        more = candles.next_cursor([price.minute for price in prices], wanted)
    return Rowset(PRICES, prices[: wanted.limit], more)


async def _streamed(
    request: Request,
    exchange: str,
    question: HistoryQuestion,
    span: tuple[int | None, int | None],
) -> Response:
    """Answer with every row, a block at a time: as much memory for ten years as for an hour."""
    serving = serving_of(request)
    accept = request.headers.get("accept", "")
    plain = accept in ("", "*/*", MEDIA["json"])
    asked = question.format or ("ndjson" if plain else None)
    wanted_format = chosen(accept, asked, STREAMED)
    if question.limit is not None:
        raise invalid("limit", "is for pages, and `stream` has none", hint="Leave one of them out.")
    if serving.streams >= MOST_STREAMS:
        raise unavailable("busy", "Too many histories are streamed", "Ask for pages in place.")
    serving.streams += 1
    try:
        series = await serving.find(exchange, question.ticker, kind=question.kind)
        wanted = _wanted(series, question, span, STREAM_ROWS)
        first = await _block(serving, wanted, wanted_format, is_first=True)
    except BaseException:
        serving.streams -= 1
        raise
    body = _blocks(request, wanted, first, wanted_format)
    headers = {"cache-control": "no-store", "content-type": MEDIA[wanted_format]}
    return _Stream(serving, body, headers)


class _Stream(StreamingResponse):
    """One of the histories that are streamed at once, until it ends in whatever way."""

    def __init__(
        self, serving: Serving, body: AsyncIterator[bytes], headers: Mapping[str, str]
    ) -> None:
        super().__init__(body, headers=headers)
        self._serving = serving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._serving.streams -= 1


class Block(NamedTuple):
    """A part of a stream."""

    content: bytes
    row_count: int
    next_cursor: str | None


async def _blocks(
    request: Request, wanted: BarsWanted, first: Block, wanted_format: Format
) -> AsyncIterator[bytes]:
    serving, block, sent = serving_of(request), first, 0
    while True:
        if block.content:
            yield block.content
        sent += block.row_count
        request.scope[ROWS] = sent
        if block.next_cursor is None:
            return
        further = wanted._replace(cursor=block.next_cursor)
        block = await _block(serving, further, wanted_format, is_first=False)


async def _block(
    serving: Serving, wanted: BarsWanted, wanted_format: Format, *, is_first: bool
) -> Block:
    if wanted_format == "ndjson" and wanted.series.series_type == "bars":
        ready = await candles.rendered_page(serving, wanted)
        if ready is not None:
            return Block(as_lines(ready.content), ready.row_count, ready.next_cursor)
    found = await _page(serving, wanted)
    if wanted_format == "csv":
        content = comma_separated(found.columns, found.rows, header=is_first)
    else:
        content = WRITERS[wanted_format](found.columns, found.rows)
    return Block(content, len(found.rows), found.next_cursor)


def as_lines(array: bytes) -> bytes:
    """Return a JSON array of flat objects as lines; no text in bars holds a brace."""
    return b"" if array == b"[]" else array[1:-1].replace(b"},{", b"}\n{") + b"\n"
