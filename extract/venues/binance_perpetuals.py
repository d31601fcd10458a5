"""Binance's perpetuals: funding rates and bars of the mark price, page by page over REST."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from extract.answer import Request
from extract.bars import BarPage, asked_page
from extract.budgets import funding_address
from extract.client import Client
from extract.venues.binance import BARS_PER_PAGE, MARKETS, PAGE, segment, server_time_ms
from lake.errors import TransientExtractError
from lake.settings import Settings

#: Settlements lie an hour apart at least, so that so many minutes never hold a full page.
MINUTES_PER_PAGE = 60 * BARS_PER_PAGE


class _Pages:
    """One instrument at one endpoint, addressed by time; both ends of a window are included."""

    def __init__(self, client: Client, settings: Settings, *, kind: str, symbol: str) -> None:
        self._client = client
        self._base = segment(settings, kind).rest_url
        self._market = MARKETS[kind]
        self._symbol = symbol

    def clock_ms(self) -> int:
        """Return the exchange's own clock."""
        return server_time_ms(self._client, self._base, self._market)

    def _window(self, from_ms: int, until_ms: int) -> dict[str, str]:
        return {
            "symbol": self._symbol,
            "startTime": str(from_ms),
            "endTime": str(until_ms - 1),
            "limit": str(PAGE),
        }


class BinanceMarkBars(_Pages):
    """One instrument's bars of the mark price, a `BarSource`; as klines, without volumes."""

    bars_per_page = BARS_PER_PAGE
    may_end_early = False

    def __init__(
        self, client: Client, settings: Settings, *, kind: str, symbol: str, interval: str
    ) -> None:
        super().__init__(client, settings, kind=kind, symbol=symbol)
        self._interval = interval

    def page(self, from_ms: int, until_ms: int, read: Callable[[list[int]], None]) -> BarPage:
        """Return the bars that open in [`from_ms`, `until_ms`)."""
        params = {**self._window(from_ms, until_ms), "interval": self._interval}
        path, weight = f"{self._market.prefix}/markPriceKlines", self._market.bars_weight
        request = Request(self._base, path, params, weight)
        return asked_page(self._client, request, partial(_times, 0), read)


class BinanceFunding(_Pages):
    """One instrument's funding rates, a `BarSource` in steps of a minute.

    An answer is in ascending order; of more rows than the limit the oldest come
    (binance-sdk-derivatives-trading-usds-futures, `get_funding_rate_history`).
    """

    bars_per_page = MINUTES_PER_PAGE
    may_end_early = False

    def __init__(self, client: Client, settings: Settings, *, kind: str, symbol: str) -> None:
        super().__init__(client, settings, kind=kind, symbol=symbol)
        self._address = funding_address(settings, kind)

    def page(self, from_ms: int, until_ms: int, read: Callable[[list[int]], None]) -> BarPage:
        """Return the settlements in [`from_ms`, `until_ms`)."""
        request = Request(self._address, "", self._window(from_ms, until_ms))
        return asked_page(self._client, request, partial(_times, "fundingTime"), read)


def _times(name: str | int, document: Any) -> list[int]:
    try:
        return [int(entry[name]) for entry in document]
    except (TypeError, ValueError, LookupError) as error:
        raise TransientExtractError("an answer that is no list of rows with a time") from error
