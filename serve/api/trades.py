"""`/api/v1/trades`: prints of the days that were published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from serve.api import cursors
from serve.api.answering import PREFIX, Made, answered, described, serving_of
from serve.api.formats import Column, Format
from serve.api.questions import RangeQuestion, asked, parameters, require_order, rows_of
from serve.api.replies import TradesReply
from serve.api.serving import within
from serve.records import Publication, Trade
from serve.repository import Between

router = APIRouter(prefix=PREFIX, tags=["trades"])
TRADES = (
    Column("time", "time"),
    Column("trade_time_us", "micros"),
    Column("trade_seq", "integer"),
    Column("trade_id", "text"),
    Column("price", "price"),
    Column("quantity", "amount"),
    Column("quote_quantity", "amount"),
    Column("taker_side", "text"),
    Column("print_kind", "text"),
)


@router.get(
    "/trades",
    summary="Trades of an instrument",
    response_model=None,
    openapi_extra=parameters(RangeQuestion),
    responses=described(TradesReply, errors=(404, 409)),
)
async def trades(request: Request) -> Response:
    """Prints in `[start, end)` in the exchange's own order; of days that were published alone."""
    question = asked(request, RangeQuestion)
    require_order(question.start, question.end, ("start", "end"))
    serving = serving_of(request)
    limit = rows_of(question.limit, serving.options)
    after = cursors.read(question.cursor, "s") if question.cursor else None

    async def make(publication: Publication, _: Format) -> Made:
        series = await serving.find(
            question.exchange, question.instrument, kind=question.kind, uid=question.uid
        )
        between = Between(question.start, question.end, limit + 1)
        asked = serving.repository.trades(series.series_id, between, after)
        found = await within(asked, serving.options)
        head = {
            "exchange": series.exchange,
            "kind": series.kind,
            "instrument": series.instrument,
            "complete_until": series.complete_until,
            "publication": publication.number,
        }
        kept = found[:limit]
        more = cursors.written("s", kept[-1].trade_seq) if len(found) > limit else None
        return Made(head, "trades", TRADES, [_row(trade) for trade in kept], more)

    return await answered(request, question.format, make)


def _row(trade: Trade) -> Sequence[Any]:
    return (
        trade.trade_time_us // 1000,
        trade.trade_time_us,
        trade.trade_seq,
        trade.trade_id,
        trade.price,
        trade.quantity,
        trade.quote_quantity,
        trade.taker_side,
        trade.print_kind,
    )
