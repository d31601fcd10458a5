"""Binance: how spot, USD-M and COIN-M are asked for trades, instruments and archive files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from extract.answer import Answer, Request
from extract.client import Client
from extract.coverage import DAY_MS, HOUR_MS
from extract.listing import Listing, unified_name
from extract.pages import Check, Page, Row, check_rows, read_rows
from extract.search import first_at, hit
from extract.subject import BARS
from lake.bronze import Dataset
from lake.errors import PermanentExtractError, TransientExtractError, UsageError
from lake.setting_sections import BinanceSegment
from lake.settings import Settings

Kind = Literal["spot", "usdm", "coinm"]
PAGE = 1000
#: How exchangeInfo names the limit that the header of used weight counts against.
A_MINUTE = ("REQUEST_WEIGHT", "MINUTE", 1)
#: The delivery date of what never expires: 2100-12-25.
NO_EXPIRY_MS = 4_133_404_800_000
#: Where bars leave the grid (2018-02-09) a window of n intervals may hold n + 1; a page that asks
#: for fewer than the limit loses none, and makes COIN-M's rule (the newest rows of a window, not
#: the oldest) mean the same.
BARS_PER_PAGE = 990


@dataclass(frozen=True, slots=True)
class Market:
    """What differs between the three markets (weights and limits as of 2026-07).

    Attributes:
        prefix: the path before each endpoint.
        archive: the market's folder in the bulk archive.
        agg_weight: weight of aggTrades.
        trades_weight: weight of historicalTrades.
        trades_limit: rows historicalTrades gives at most.
        newest_weight: weight of trades, the newest ones.
        info_weight: weight of exchangeInfo.
        bars_weight: weight of klines.
        days_of_aggregates: how far back aggTrades reach, 0 for ever.
    """

    prefix: str
    archive: str
    agg_weight: int
    trades_weight: int
    trades_limit: int
    newest_weight: int
    info_weight: int
    bars_weight: int
    days_of_aggregates: int


MARKETS: Mapping[str, Market] = {
    "spot": Market("/api/v3", "spot", 4, 25, 1000, 25, 20, 2, 0),
    "usdm": Market("/fapi/v1", "futures/um", 20, 200, 500, 5, 1, 5, 2),
    "coinm": Market("/dapi/v1", "futures/cm", 20, 200, 500, 5, 1, 5, 2),
}


def segment(settings: Settings, kind: str) -> BinanceSegment:
    """Return the settings of a market.

    Raises:
        UsageError: Binance has no such kind.
    """
    if kind not in MARKETS:
        raise UsageError(f"Binance has no kind '{kind}'", hint=f"Known are {', '.join(MARKETS)}.")
    found: BinanceSegment = getattr(settings.exchanges.binance, kind)
    return found


class BinanceTrades:
    """One instrument's trades or aggregate trades, a `TradeSource`."""

    origin = 0
    keeps_all: bool

    def __init__(
        self, client: Client, settings: Settings, *, kind: str, symbol: str, dataset: Dataset
    ) -> None:
        self._client = client
        self._segment = segment(settings, kind)
        self._market = MARKETS[kind]
        self._kind = kind
        self.keeps_all = kind == "spot"
        self._symbol = symbol
        self._aggregates = dataset == "agg_trades"
        if not self._aggregates and kind != "spot" and not self._segment.api_key:
            raise UsageError(
                f"Binance gives trades of {kind} only with an API key",
                hint=f"Set exchanges.binance.{kind}.api_key, or ask for agg_trades.",
            )

    def clock_ms(self) -> int:
        """Return the exchange's own clock."""
        return server_time_ms(self._client, self._segment.rest_url, self._market)

    def page(self, first_id: int, last_id: int, check: Check) -> Page:
        """Return the rows from `first_id` on, no more than are asked up to `last_id`."""
        limit = min(self._limit, last_id - first_id + 1)
        answer, rows = self._rows({"fromId": str(first_id), "limit": str(limit)}, check)
        return Page(answer, rows, full=len(rows) >= limit)

    def newest(self, check: Check) -> Row | None:
        """Return the newest row."""
        endpoint, weight = "trades", self._market.newest_weight
        if self._aggregates:
            endpoint, weight = "aggTrades", self._market.agg_weight
        rows = self._rows({"limit": "1"}, check, (endpoint, weight))[1]
        return rows[-1] if rows else None

    def first_at(self, time_ms: int) -> Row | None:
        """Return the first row at or after `time_ms`.

        Spot asks aggTrades once by startTime, whose window has no bound since 2022-12-05. Futures
        bound it by an hour, so they are asked hour by hour. Trades are searched by id: an
        aggregate of futures spans 100 ms, and spot's only says where to look.
        """
        if self._aggregates and self._kind != "spot":
            return self._first_by_hours(time_ms)
        found = self._aggregates_from({"startTime": str(time_ms)}) if self._kind == "spot" else []
        if not self._aggregates:
            near = self._near(int(found[0]["f"]), time_ms) if found else None
            return near or self._searched(time_ms)
        return Row(int(found[0]["a"]), int(found[0]["T"])) if found else None

    def _near(self, trade_id: int, time_ms: int) -> Row | None:
        """Look around a trade id; None where the trades around it do not tell."""
        start = str(max(0, trade_id - self._limit // 2))
        rows = self._rows({"fromId": start, "limit": str(self._limit)})[1]
        return hit(rows, time_ms) if rows and rows[0].time_ms < time_ms else None

    def _first_by_hours(self, time_ms: int) -> Row | None:
        now = self.clock_ms()
        oldest = now - self._market.days_of_aggregates * DAY_MS
        if time_ms < oldest:
            raise PermanentExtractError(
                f"aggTrades of {self._kind} reach back {self._market.days_of_aggregates} days only",
                where=self._symbol,
                hint="Take older days from the archive (source=archive).",
            )
        for start in range(time_ms, now + 1, HOUR_MS - 1):
            window = {"startTime": str(start), "endTime": str(start + HOUR_MS - 2)}
            if found := self._aggregates_from(window):
                return Row(int(found[0]["a"]), int(found[0]["T"]))
        return None

    def _searched(self, time_ms: int) -> Row | None:
        newest = self.newest(lambda _: None)
        return first_at(self._page_at, newest, time_ms).row if newest else None

    def _page_at(self, trade_id: int) -> list[Row]:
        params = {"fromId": str(max(0, trade_id)), "limit": str(self._limit)}
        return self._rows(params, lambda rows: check_rows(rows, 0, 0))[1]

    def _aggregates_from(self, window: Mapping[str, str]) -> list[dict[str, Any]]:
        params = {**self._of_symbol, **window, "limit": "1"}
        request = self._request("aggTrades", self._market.agg_weight, params)
        return self._client.ask(request, _list)[1]

    def _rows(
        self,
        params: Mapping[str, str],
        check: Check | None = None,
        endpoint: tuple[str, int] | None = None,
    ) -> tuple[Answer, list[Row]]:
        """Ask for a page; `endpoint` is its name and weight, by default the one paged by id."""

        def read(document: Any) -> list[Row]:
            rows = self._read(document)
            if check is not None:
                check(rows)
            return rows

        request = self._request(*(endpoint or self._paged), {**self._of_symbol, **params})
        return self._client.ask(request, read)

    @property
    def _paged(self) -> tuple[str, int]:
        if self._aggregates:
            return "aggTrades", self._market.agg_weight
        return "historicalTrades", self._market.trades_weight

    def _read(self, document: Any) -> list[Row]:
        names = ("a", "T") if self._aggregates else ("id", "time")
        return read_rows(_list(document), *names)

    @property
    def _of_symbol(self) -> dict[str, str]:
        return {"symbol": self._symbol}

    @property
    def _limit(self) -> int:
        return PAGE if self._aggregates else self._market.trades_limit

    def _request(self, endpoint: str, weight: int, params: Mapping[str, str]) -> Request:
        key = self._segment.api_key
        wants_key = endpoint == "historicalTrades"
        secret = {"X-MBX-APIKEY": key.get_secret_value()} if key and wants_key else {}
        base = self._segment.rest_url
        if wants_key:
            # data-api.binance.vision serves all but this (binance-spot-api-docs, market data only)
            base = self._segment.historical_trades_url or base
        path = f"{self._market.prefix}/{endpoint}"
        return Request(base, path, params, weight, secret)


def _list(document: Any) -> list[Any]:
    if not isinstance(document, list):
        raise TransientExtractError("an answer that is no list where one is due")
    return document


def server_time_ms(client: Client, base: str, market: Market) -> int:
    """Return a market's own clock; raises like `Client.ask`."""
    request = Request(base, f"{market.prefix}/time")
    return client.ask(request, lambda document: int(document["serverTime"]))[1]


def instruments_requests(settings: Settings, kind: str) -> list[Request]:
    """Return how a market is asked for all its instruments.

    Raises:
        UsageError: Binance has no such kind.
    """
    base = segment(settings, kind).rest_url
    market = MARKETS[kind]
    return [Request(base, f"{market.prefix}/exchangeInfo", {}, market.info_weight)]


def weight_per_minute(document: Any) -> int | None:
    """Return the request weight a minute that exchangeInfo grants an address, None where untold."""
    limits = document.get("rateLimits", []) if isinstance(document, dict) else []
    found = [
        int(one["limit"])
        for one in limits
        if (one.get("rateLimitType"), one.get("interval"), one.get("intervalNum")) == A_MINUTE
    ]
    return min(found, default=None)


def listings(document: Any) -> list[Listing]:
    """Return the names of an exchangeInfo document with their unified symbols."""
    return [
        Listing(entry["symbol"], _unified(entry), _is_perpetual(entry))
        for entry in document["symbols"]
    ]


def _unified(entry: Mapping[str, Any]) -> str:
    settle = entry.get("marginAsset", "")
    dated = settle and not _is_perpetual(entry)
    expiry = _expiry(entry) if dated else None
    return unified_name(entry["baseAsset"], entry["quoteAsset"], settle, expiry_ms=expiry)


def _is_perpetual(entry: Mapping[str, Any]) -> bool:
    """Tell a perpetual; one of shares or metals has a contract type of its own, and no expiry."""
    never = entry.get("contractType") == "PERPETUAL" or _expiry(entry) == NO_EXPIRY_MS
    return bool(entry.get("marginAsset")) and never


def _expiry(entry: Mapping[str, Any]) -> int:
    return int(entry.get("deliveryDate") or NO_EXPIRY_MS)


#: The archive's own names of the datasets.
ARCHIVE_NAMES: Mapping[str, str] = {
    "trades": "trades",
    "agg_trades": "aggTrades",
    "klines": "klines",
    "mark_klines": "markPriceKlines",
    "funding_rates": "fundingRate",
}


def archive_path(kind: str, dataset: Dataset, symbol: str, period: str, interval: str) -> str:
    """Return the path of an archive file: of a day (YYYY-MM-DD), or of a month (YYYY-MM).

    Source: the folder rules in github.com/binance/binance-public-data.
    """
    length = "1mo" if interval == "1M" else interval
    name = length if dataset in BARS else ARCHIVE_NAMES[dataset]
    folder = f"{ARCHIVE_NAMES[dataset]}/{symbol}" + (f"/{name}" if dataset in BARS else "")
    often = "monthly" if len(period) == len("YYYY-MM") else "daily"
    return f"/data/{MARKETS[kind].archive}/{often}/{folder}/{symbol}-{name}-{period}.zip"
