"""`/udf`: the protocol that TradingView's charting library speaks, so that its charts work on ours.

Numbers are JSON numbers, as the library reads them, written with the exact digits of the decimals.
A symbol is `exchange:kind:instrument`; errors carry the library's `s` and `errmsg`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Annotated, Any, NamedTuple

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from serve.api.answering import ROWS, serving_of
from serve.api.errors import JSON, ErrorAnswer, RefusedError, invalid, quoted
from serve.api.questions import asked, parameters
from serve.api.serving import Serving, within
from serve.records import Bar, IndexPrice, Series
from serve.repository import Between

router = APIRouter(prefix="/udf", tags=["udf"])
INTERVALS = {"1": "1m", "5": "5m", "15": "15m", "60": "1h", "240": "4h", "1D": "1d", "D": "1d"}
RESOLUTIONS = ("1", "5", "15", "60", "240", "1D")
#: A price's digits where no tick size is known, and the bars that are looked at for more.
FEWEST_DIGITS = 2
BARS_LOOKED_AT = 200
LATEST = 253_402_300_799
Seconds = Annotated[int, Field(ge=0, le=LATEST)]
Symbol = Annotated[str, Query(min_length=1, max_length=220)]
REFUSED: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer} for status in (401, 404, 409, 422, 429, 503)
}


class HistoryQuestion(BaseModel):
    """What the library asks for; what else it sends is passed over."""

    symbol: str = Field(min_length=1, max_length=220)
    resolution: str = Field(max_length=10)
    start: Seconds = Field(0, alias="from", description="UNIX seconds, included.")
    to: Seconds = Field(description="UNIX seconds, excluded.")
    countback: int | None = Field(
        None, ge=1, le=1_000_000, description="So many bars before `to`, whatever `from` says."
    )


class HistoryReply(BaseModel):
    """Columns of bars, times in UNIX seconds; or no data, and where there is some before."""

    s: str
    t: list[int] | None = None
    o: list[Decimal] | None = None
    h: list[Decimal] | None = None
    l: list[Decimal] | None = None  # noqa: E741 - the library's own name
    c: list[Decimal] | None = None
    v: list[Decimal] | None = None
    next_time: int | None = Field(None, alias="nextTime")


class Candle(NamedTuple):
    """What a chart draws, decimals as text."""

    time: int
    open: str
    high: str
    low: str
    close: str
    volume: str


@router.get("/config", summary="What the datafeed can do", response_model=None)
async def config(request: Request) -> Response:
    """Resolutions, exchanges and kinds."""
    catalogue = await serving_of(request).catalogue()
    kinds = sorted({one.kind for one in catalogue.series})
    exchanges = [{"value": name, "name": name, "desc": name} for name in catalogue.exchanges]
    return _json(
        {
            "supports_search": True,
            "supports_group_request": False,
            "supports_marks": False,
            "supports_timescale_marks": False,
            "supports_time": True,
            "supported_resolutions": RESOLUTIONS,
            "exchanges": [{"value": "", "name": "All exchanges", "desc": ""}, *exchanges],
            "symbols_types": [
                {"name": "All kinds", "value": ""},
                *({"name": kind, "value": kind} for kind in kinds),
            ],
        }
    )


@router.get(
    "/time",
    summary="The server's clock",
    response_model=None,
    response_class=PlainTextResponse,
)
async def server_time() -> Response:
    """UNIX seconds, as text."""
    return PlainTextResponse(str(time.time_ns() // 1_000_000_000))


@router.get("/symbols", summary="One symbol", response_model=None, responses=REFUSED)
async def symbols(request: Request, symbol: Symbol) -> Response:
    """What the library asks to know of a symbol before it draws it."""
    serving = serving_of(request)
    series = await _series(serving, symbol)
    digits, step = await _price_step(serving, series)
    is_index = series.series_type == "index"
    resolutions = ("1",) if is_index else RESOLUTIONS
    return _json(
        {
            "name": series.instrument,
            "ticker": _ticker(series),
            "description": _described(series),
            "type": series.kind,
            "session": "24x7",
            "timezone": "Etc/UTC",
            "exchange": series.exchange,
            "listed_exchange": series.exchange,
            "exchange-traded": series.exchange,
            "exchange-listed": series.exchange,
            "format": "price",
            "pricescale": 10**digits,
            "minmov": step,
            "minmov2": 0,
            "has_intraday": True,
            "has_daily": not is_index,
            "daily_multipliers": [] if is_index else ["1"],
            "has_weekly_and_monthly": False,
            "intraday_multipliers": [one for one in resolutions if one.isdigit()],
            "supported_resolutions": resolutions,
            "volume_precision": 8,
            "visible_plots_set": "c" if is_index else "ohlcv",
            "currency_code": series.quote_unit,
            "data_status": "streaming",
        }
    )


@router.get("/search", summary="Search symbols", response_model=None, responses=REFUSED)
async def search(
    request: Request,
    query: Annotated[str, Query(max_length=220)] = "",
    kind: Annotated[str, Query(alias="type", max_length=100)] = "",
    exchange: Annotated[str, Query(max_length=100)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 30,
) -> Response:
    """Symbols by a part of their name, the nearest first."""
    catalogue = await serving_of(request).catalogue()
    name = query.rpartition(":")[2]
    found = catalogue.search(name, exchange or None, kind or None)[:limit]
    return _json(
        [
            {
                "symbol": series.instrument,
                "full_name": _ticker(series),
                "ticker": _ticker(series),
                "description": _described(series),
                "exchange": series.exchange,
                "type": series.kind,
            }
            for series in found
        ]
    )


@router.get(
    "/history",
    summary="Bars of a symbol",
    response_model=None,
    openapi_extra=parameters(HistoryQuestion),
    responses={200: {"model": HistoryReply}, **REFUSED},
)
async def history(request: Request) -> Response:
    """Bars with prices in `[from, to)`, or the last `countback` before `to`, by time."""
    question = asked(request, HistoryQuestion)
    serving = serving_of(request)
    start, to, countback = question.start, question.to, question.countback
    interval = INTERVALS.get(question.resolution)
    if interval is None:
        hint = f"Known are {', '.join(RESOLUTIONS)}."
        raise invalid("resolution", f"is not '{quoted(question.resolution)}'", hint=hint)
    series = await _series(serving, question.symbol)
    if countback is None:
        between = Between(start * 1000, to * 1000, serving.options.most_rows, newest_first=True)
        if start >= to:
            raise invalid("to", "is not after `from`")
    else:
        limit = min(countback, serving.options.most_rows)
        between = Between(None, to * 1000, limit, newest_first=True)
    candles = await _candles(serving, series, interval, between)
    request.scope[ROWS] = len(candles)
    if candles:
        return Response(_columns(candles[::-1]), media_type=JSON)
    earlier = Between(None, between.start, 1, newest_first=True)
    before = [] if not between.start else await _candles(serving, series, interval, earlier)
    nothing = {"s": "no_data"}
    return _json(nothing | {"nextTime": before[0].time} if before else nothing)


async def _candles(
    serving: Serving, series: Series, interval: str, between: Between
) -> Sequence[Candle]:
    repository, options = serving.repository, serving.options
    if series.series_type == "index":
        if interval != "1m":
            raise invalid("resolution", "is 1 for an index", hint="An index has minutes alone.")
        prices = await within(repository.index_prices(series.series_id, between), options)
        return [_point(price) for price in prices]
    bars = await within(repository.bars(series.series_id, interval, between), options)
    return [candle for candle in map(_candle, bars) if candle is not None]


def _candle(bar: Bar) -> Candle | None:
    """Return what is drawn of a bar: nothing of one without a price."""
    if bar.open is None or bar.high is None or bar.low is None or bar.close is None:
        return None
    seconds = bar.bar_start // 1000
    return Candle(seconds, bar.open, bar.high, bar.low, bar.close, bar.volume)


def _point(price: IndexPrice) -> Candle:
    value = price.price
    return Candle(price.minute // 1000, value, value, value, value, "0")


def _columns(candles: Iterable[Candle]) -> bytes:
    """Return the library's columns, each decimal as a JSON number of the very same digits."""
    times, *values = zip(*candles, strict=True)
    parts = [f'"t":[{",".join(map(str, times))}]']
    parts += [
        f'"{name}":[{",".join(column)}]' for name, column in zip("ohlcv", values, strict=True)
    ]
    return f'{{"s":"ok",{",".join(parts)}}}'.encode()


async def _series(serving: Serving, symbol: str) -> Series:
    """Return the series of `exchange:kind:instrument`, `exchange:instrument` or a bare name."""
    catalogue = await serving.catalogue()
    parts = symbol.split(":", 2)
    if len(parts) == 3:
        return catalogue.find(parts[0], parts[2], kind=parts[1])
    if len(parts) == 2:
        return catalogue.find(parts[0], parts[1])
    found = [one for one in catalogue.newest() if one.instrument.casefold() == symbol.casefold()]
    if len(found) == 1:
        return found[0]
    hint = "Symbols are exchange:kind:instrument; /udf/search finds them."
    status, code = (409, "ambiguous") if found else (404, "unknown_ticker")
    raise RefusedError(status, code, f"'{quoted(symbol)}' names {len(found)} symbols", hint=hint)


async def _price_step(serving: Serving, series: Series) -> tuple[int, int]:
    """Return the digits behind the point, and the least step in units of the last one."""
    repository, options = serving.repository, serving.options
    if series.series_type == "bars":
        listings = await within(repository.listings(series.exchange, series.kind), options)
        ticks = [
            one.tick_size
            for one in listings
            if one.instrument_uid == series.instrument_uid and one.tick_size
        ]
        if ticks:
            digits = _digits(ticks[-1])
            return digits, int(Decimal(ticks[-1]).scaleb(digits))
    between = Between(None, None, BARS_LOOKED_AT, newest_first=True)
    candles = await _candles(serving, series, "1m", between)
    return max((_digits(one.close) for one in candles), default=FEWEST_DIGITS), 1


def _digits(decimal: str) -> int:
    return len(decimal.partition(".")[2])


def _ticker(series: Series) -> str:
    return f"{series.exchange}:{series.kind}:{series.instrument}"


def _described(series: Series) -> str:
    return f"{series.instrument} ({series.exchange}, {series.kind})"


def _json(document: Any) -> Response:
    return Response(orjson.dumps(document), media_type=JSON)
