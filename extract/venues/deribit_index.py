"""Deribit's indexes: public/get_index_price, one answer an index, without a time of its own."""

from __future__ import annotations

from typing import Any

from extract.answer import Request
from extract.venues.deribit import public
from lake.errors import TransientExtractError
from lake.settings import Settings

#: Deribit has no kind of index; paths and tables want one.
KIND = "index"


def index_request(settings: Settings, name: str) -> Request:
    """Return how the price of an index is asked for."""
    return public(settings.exchanges.deribit.rest_url, "get_index_price", {"index_name": name})


def time_request(settings: Settings) -> Request:
    """Return how the exchange's clock is asked for."""
    return public(settings.exchanges.deribit.rest_url, "get_time", {})


def answered_us(document: Any) -> int:
    """Return when the server answered, in µs: the result itself carries no time (OpenAPI 2.1.1).

    Raises:
        TransientExtractError: the answer has no price or no time.
    """
    result = document.get("result") if isinstance(document, dict) else None
    if not isinstance(result, dict) or "index_price" not in result:
        raise TransientExtractError("an answer without `result.index_price`")
    if not isinstance(document.get("usOut"), int):
        raise TransientExtractError("an answer without `usOut`")
    return int(document["usOut"])
