"""`/api/v1/ohlcv`: candles of one series and interval."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from serve.api.answering import PREFIX, Made, answered, described, serving_of
from serve.api.bars import (
    DEFAULT_COLUMNS,
    USUAL,
    BarsWanted,
    Shape,
    filled_page,
    made_of,
    page,
    rendered_page,
    require_bars,
)
from serve.api.formats import Format
from serve.api.questions import OhlcvQuestion, asked, parameters, require_order, rows_of
from serve.api.replies import OhlcvReply
from serve.records import Publication, Series

router = APIRouter(prefix=PREFIX, tags=["candles"])


@router.get(
    "/ohlcv",
    summary="Candles of an instrument",
    response_model=None,
    openapi_extra=parameters(OhlcvQuestion),
    responses=described(OhlcvReply, errors=(404, 409)),
)
async def ohlcv(request: Request) -> Response:
    """Candles of one interval in `[start, end)`, sparse (bars with prints) or filled.

    Sparse pages have `limit` rows; a filled page has the slots of a window of that many bars,
    fewer where the market was halted. Ask on with `cursor` until `next_cursor` is null.
    """
    question = asked(request, OhlcvQuestion)
    require_order(question.start, question.end, ("start", "end"))
    serving = serving_of(request)
    limit = rows_of(question.limit, serving.options)
    shape = _shape(question)

    async def make(publication: Publication, wanted_format: Format) -> Made:
        series = await serving.find(
            question.exchange, question.instrument, kind=question.kind, uid=question.uid
        )
        require_bars(series)
        wanted = BarsWanted(
            series,
            question.interval,
            question.start,
            question.end,
            limit,
            newest_first=question.order == "desc",
            cursor=question.cursor,
            as_of_us=question.as_of,
        )
        head = _head(question, series, publication, shape)
        if wanted_format == "json" and shape is USUAL and not question.filled:
            ready = None if question.as_of is not None else await rendered_page(serving, wanted)
            if ready is not None:
                return made_of(head, ready)
        found = await (filled_page if question.filled else page)(serving, wanted)
        rows = [shape.take(bar) for bar in found.bars]
        return Made(head, "bars", shape.columns, rows, found.next_cursor)

    return await answered(request, question.format, make)


def _shape(question: OhlcvQuestion) -> Shape:
    if question.columns is None:
        if question.label == "start":
            return USUAL
        return Shape.of(DEFAULT_COLUMNS, question.label)
    return Shape.of([name.strip() for name in question.columns.split(",")], question.label)


def _head(
    question: OhlcvQuestion, series: Series, publication: Publication, shape: Shape
) -> dict[str, Any]:
    return {
        "exchange": series.exchange,
        "kind": series.kind,
        "instrument": series.instrument,
        "interval": question.interval,
        "label": question.label,
        "filled": question.filled,
        "complete_until": series.complete_until,
        "publication": publication.number,
        "columns": [column.name for column in shape.columns],
    }
