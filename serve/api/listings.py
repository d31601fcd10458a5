"""`/api/v1/instruments` and `/listings`: what is served, and what the listings were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from serve.api import cursors
from serve.api.answering import PREFIX, Made, answered, described, serving_of
from serve.api.formats import Column, Format, Kind
from serve.api.questions import InstrumentsQuestion, ListingsQuestion, asked, parameters, rows_of
from serve.api.replies import InstrumentsReply, ListingsReply
from serve.api.serving import within
from serve.records import Listing, Publication, Series

router = APIRouter(prefix=PREFIX, tags=["instruments"])
INSTRUMENTS = (
    *(
        Column(name, "text")
        for name in (
            "exchange",
            "kind",
            "instrument",
            "series_type",
            "quantity_unit",
            "base_unit",
            "quote_unit",
        )
    ),
    *(Column(name, "time") for name in ("first_time", "last_time", "complete_until")),
    Column("intervals", "document"),
)
_LISTING_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("valid_from", "valid_to", "expiry", "listed_at", "delisted_at"), "time"),
    **dict.fromkeys(("contract_size", "tick_size", "lot_size", "strike"), "amount"),
}
LISTINGS = tuple(Column(name, _LISTING_KINDS.get(name, "text")) for name in Listing._fields)


@router.get(
    "/instruments",
    summary="What is served",
    response_model=None,
    openapi_extra=parameters(InstrumentsQuestion),
    responses=described(InstrumentsReply),
)
async def instruments(request: Request) -> Response:
    """Series by a part of their name: exact matches first, then beginnings; else all of them."""
    question = asked(request, InstrumentsQuestion)
    serving = serving_of(request)
    limit = rows_of(question.limit, serving.options)
    first = cursors.read(question.cursor, "n") if question.cursor else 0

    async def make(_: Publication, __: Format) -> Made:
        catalogue = await serving.catalogue()
        found = catalogue.search(question.q, question.exchange, question.kind)
        rows = [_row(one, serving.options.intervals) for one in found[first : first + limit]]
        more = cursors.written("n", first + limit) if len(found) > first + limit else None
        return Made({}, "instruments", INSTRUMENTS, rows, more)

    return await answered(request, question.format, make)


def _row(series: Series, intervals: Sequence[str]) -> Sequence[Any]:
    return (
        series.exchange,
        series.kind,
        series.instrument,
        series.series_type,
        series.quantity_unit,
        series.base_unit,
        series.quote_unit,
        series.first_time,
        series.last_time,
        series.complete_until,
        list(intervals) if series.series_type == "bars" else ["1m"],
    )


@router.get(
    "/listings",
    summary="What listings were, and when",
    response_model=None,
    openapi_extra=parameters(ListingsQuestion),
    responses=described(ListingsReply),
)
async def listings(request: Request) -> Response:
    """Units, contract, tick and lot sizes, strike and expiry, as valid from when to when."""
    question = asked(request, ListingsQuestion)
    serving = serving_of(request)

    async def make(_: Publication, __: Format) -> Made:
        asked = serving.repository.listings(question.exchange, question.kind)
        return Made({}, "listings", LISTINGS, await within(asked, serving.options))

    return await answered(request, question.format, make)
