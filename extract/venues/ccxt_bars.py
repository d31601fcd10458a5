"""Binance's klines through CCXT's implicit raw methods, over our own patient client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import ccxt
import requests
from requests.structures import CaseInsensitiveDict

from extract.answer import Answer, Request
from extract.bars import BarPage
from extract.client import Client
from extract.venues.binance import BARS_PER_PAGE, MARKETS, segment, server_time_ms
from lake.errors import TransientExtractError
from lake.settings import Settings

#: CCXT's name of each market's public API, and its implicit raw method.
METHODS: Mapping[str, tuple[str, str]] = {
    "spot": ("public", "publicGetKlines"),
    "usdm": ("fapiPublic", "fapiPublicGetKlines"),
    "coinm": ("dapiPublic", "dapiPublicGetKlines"),
}
LIMIT = 1000


class BinanceBars:
    """One instrument's klines, a `BarSource`; CCXT builds the request, the body stays raw."""

    bars_per_page = BARS_PER_PAGE
    may_end_early = False

    def __init__(
        self, client: Client, settings: Settings, *, kind: str, symbol: str, interval: str
    ) -> None:
        self._client = client
        self._base = segment(settings, kind).rest_url
        self._kind = kind
        self._symbol = symbol
        self._interval = interval
        api, method = METHODS[kind]
        self._transport = _Transport(client, self._base, MARKETS[kind].bars_weight)
        exchange = ccxt.binance({"enableRateLimit": False, "session": self._transport})
        exchange.urls["api"][api] = self._base.rstrip("/") + MARKETS[kind].prefix
        self._klines: Callable[[dict[str, Any]], Any] = getattr(exchange, method)

    def clock_ms(self) -> int:
        """Return the exchange's own clock."""
        return server_time_ms(self._client, self._base, MARKETS[self._kind])

    def page(self, from_ms: int, until_ms: int, read: Callable[[list[int]], None]) -> BarPage:
        """Return the bars that open in [`from_ms`, `until_ms`)."""
        self._transport.read = read
        self._klines(
            {
                "symbol": self._symbol,
                "interval": self._interval,
                "startTime": from_ms,
                "endTime": until_ms - 1,
                "limit": LIMIT,
            }
        )
        return self._transport.page()


class _Transport(requests.Session):
    """The session that CCXT sends through: one request, by our client, its answer kept."""

    def __init__(self, client: Client, base: str, weight: int) -> None:
        super().__init__()
        self.read: Callable[[list[int]], None] = lambda _: None
        self._client = client
        self._base = base
        self._weight = weight
        self._page: BarPage | None = None

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        """Answer CCXT's request; faults are judged and retried before CCXT sees them."""
        del method, args, kwargs
        parts = urlsplit(url)
        path = f"{parts.scheme}://{parts.netloc}{parts.path}".removeprefix(self._base.rstrip("/"))
        request = Request(self._base, path, dict(parse_qsl(parts.query)), self._weight)
        answer, times = self._client.ask(request, self._open_times)
        self._page = BarPage(answer, times)
        return _response(answer)

    def page(self) -> BarPage:
        """Return what the last request brought."""
        if self._page is None:
            raise TransientExtractError("CCXT sent no request", where=self._base)
        return self._page

    def _open_times(self, document: Any) -> list[int]:
        try:
            times = [int(bar[0]) for bar in document]
        except (TypeError, ValueError, LookupError) as error:
            raise TransientExtractError("an answer that is no list of bars") from error
        self.read(times)
        return times


def _response(answer: Answer) -> requests.Response:
    response = requests.Response()
    response.status_code = answer.status
    response.headers = CaseInsensitiveDict(answer.headers)
    response._content = answer.body  # noqa: SLF001 - requests has no public way to make one
    return response
