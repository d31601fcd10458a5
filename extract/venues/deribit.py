"""Deribit: how trades, instruments and chart data are asked for, on the live and history hosts."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from extract.answer import Request
from extract.client import Client
from extract.coverage import DAY_MS
from extract.listing import Listing, unified_name
from extract.pages import Check, Page, Row, read_rows
from extract.plan import Pages
from lake.bronze import Dataset
from lake.errors import PermanentExtractError, TransientExtractError, UsageError
from lake.settings import Settings

log = logging.getLogger(__name__)

KINDS = ("future", "option", "spot", "future_combo", "option_combo")
PAGE = 1000
#: The docs name no limit; ccxt counts on 5,000 points an answer.
BARS_PER_PAGE = 4990
#: The docs name no limit of get_funding_rate_history; ccxt counts on 744 hours an answer.
HOURS_PER_PAGE = 740
#: More trades than Deribit's busiest instrument has had in a day.
ROWS_PER_DAY = 2_000_000
#: Body bytes of a trade, of a bar, and of an hour of funding.
TRADE_BYTES, BAR_BYTES, RATE_BYTES = 260, 85, 160
#: get_instruments costs 10,000 credits where another call costs 500 (docs, rate-limits 2026-05).
INSTRUMENTS_WEIGHT = 20
#: A perpetual's expiry is the year 3000.
NO_EXPIRY_MS = 32_503_708_800_000
#: How long the live host surely keeps trades; anything older is asked on both hosts.
LIVE_MS = DAY_MS
RESOLUTIONS: Mapping[str, str] = {
    "1m": "1", "3m": "3", "5m": "5", "10m": "10", "15m": "15", "30m": "30",
    "1h": "60", "2h": "120", "3h": "180", "6h": "360", "12h": "720", "1d": "1D",
}  # fmt: skip


def public(base: str, method: str, params: Mapping[str, str], weight: int = 1) -> Request:
    """Return the request of a public method."""
    return Request(base, f"/api/v2/public/{method}", params, weight)


def server_time_ms(client: Client, base: str) -> int:
    """Return the exchange's own clock; raises like `Client.ask`."""
    return client.ask(public(base, "get_time", {}), lambda document: int(document["result"]))[1]


def trade_pages(settings: Settings, kind: str, dataset: Dataset) -> Pages:
    """Return what pages of trades hold and cost; the history host is asked where they are old."""
    del kind, dataset
    base = settings.exchanges.deribit.history_url
    return Pages(base, PAGE, 1, TRADE_BYTES, aside=6, rows_per_day=ROWS_PER_DAY)


def bar_pages(settings: Settings, kind: str) -> Pages:
    """Return what pages of chart data hold and cost."""
    del kind
    base = settings.exchanges.deribit.rest_url
    return Pages(base, rows=BARS_PER_PAGE, weight=1, row_bytes=BAR_BYTES, aside=1)


def rate_pages(settings: Settings, kind: str) -> Pages:
    """Return what pages of funding rates hold, in minutes, and cost."""
    del kind
    base = settings.exchanges.deribit.rest_url
    return Pages(base, rows=60 * HOURS_PER_PAGE, weight=1, row_bytes=RATE_BYTES, aside=1)


class DeribitTrades:
    """One instrument's trades by trade_seq, a `TradeSource` over two hosts.

    The live host is asked first; where its answer begins later than asked, the history host is,
    and what begins earlier counts.
    """

    origin = 1
    keeps_all = True

    def __init__(self, client: Client, settings: Settings, *, instrument: str) -> None:
        self._client = client
        self._live = settings.exchanges.deribit.rest_url
        self._history = settings.exchanges.deribit.history_url
        self._instrument = instrument
        #: the live host has nothing below this trade_seq, as far as it has shown
        self._live_first = 0
        #: from this trade_seq on, no host has more than the live one
        self._live_reaches = sys.maxsize

    def clock_ms(self) -> int:
        """Return the exchange's own clock."""
        return server_time_ms(self._client, self._live)

    def first_at(self, time_ms: int) -> Row | None:
        """Return the first row at or after `time_ms`, the earlier of both hosts' answers."""
        now = self.clock_ms()
        window = {
            "start_timestamp": str(time_ms),
            "end_timestamp": str(max(now, time_ms)),
            "count": "1",
            "sorting": "asc",
        }
        method = "get_last_trades_by_instrument_and_time"
        if time_ms > now - LIVE_MS and (live := self._firsts((self._live,), method, window)):
            return live[0]
        return min(self._firsts((self._live, self._history), method, window), default=None)

    def newest(self, check: Check) -> Row | None:
        """Return the newest row; an expired instrument's is on the history host."""
        method, params = "get_last_trades_by_instrument", {"count": "1", "sorting": "desc"}
        rows = sorted(self._firsts((self._live, self._history), method, params))
        check(rows)
        return rows[-1] if rows else None

    def page(self, first_id: int, last_id: int, check: Check) -> Page:
        """Return the rows from `first_id` on, no more than are asked up to `last_id`."""
        limit = min(PAGE, last_id - first_id + 1)
        live = self._live_page(first_id, limit, check) if first_id >= self._live_first else None
        if live is not None and first_id >= self._live_reaches:
            return live
        old_check = _unless_empty(check) if live is not None and live.rows else check
        old = self._page_of(self._history, first_id, limit, old_check)
        chosen = self._earlier(live, old)
        if chosen is live:
            self._live_reaches = first_id
        elif live is not None and live.rows:
            self._live_first = live.rows[0].id
        return chosen

    def _live_page(self, first_id: int, limit: int, check: Check) -> Page | None:
        """Ask the live host; until it has shown how far it reaches, emptiness proves nothing."""
        strict = check if first_id >= self._live_reaches else _unless_empty(check)
        page = self._page_of(self._live, first_id, limit, strict)
        if page is not None and page.rows and page.rows[0].id == first_id:
            self._live_reaches = min(self._live_reaches, first_id)
        return page

    def _earlier(self, live: Page | None, old: Page | None) -> Page:
        filled = [page for page in (live, old) if page is not None and page.rows]
        chosen = min(filled, key=lambda page: page.rows[0].id, default=live or old)
        if chosen is None:
            raise self._unknown()
        return chosen

    def _unknown(self) -> PermanentExtractError:
        return PermanentExtractError(
            "neither the live nor the history host knows this instrument",
            where=self._instrument,
            hint="Names are case-sensitive; look for it among the discovered instruments.",
        )

    def _firsts(self, hosts: Sequence[str], method: str, window: Mapping[str, str]) -> list[Row]:
        """Return the first row of each host's answer; that one host refuses is no failure."""
        found: list[Row] = []
        refusals: list[PermanentExtractError] = []
        for host in hosts:
            request = public(host, method, {"instrument_name": self._instrument, **window})
            try:
                found += self._client.ask(request, _read)[1][:1]
            except PermanentExtractError as refusal:
                refusals.append(refusal)
        if len(refusals) == 2:
            raise self._unknown() from refusals[-1]
        return found

    def _page_of(self, host: str, first_id: int, limit: int, check: Check) -> Page | None:
        def read(document: Any) -> list[Row]:
            rows = _read(document)
            check(rows)
            return rows

        params = {
            "instrument_name": self._instrument,
            "start_seq": str(first_id),
            "count": str(limit),
            "sorting": "asc",
        }
        try:
            answer, rows = self._client.ask(
                public(host, "get_last_trades_by_instrument", params), read
            )
        except PermanentExtractError as refusal:
            log.info("not on this host: %s", refusal)
            return None
        return Page(answer, rows, full=len(rows) >= limit)


def _read(document: Any) -> list[Row]:
    return read_rows(_result(document)["trades"], "trade_seq", "timestamp")


def _result(document: Any) -> dict[str, Any]:
    result = document.get("result") if isinstance(document, dict) else None
    if not isinstance(result, dict) or not isinstance(result.get("trades"), list):
        raise TransientExtractError("an answer without `result.trades`")
    return result


def _unless_empty(check: Check) -> Check:
    return lambda rows: check(rows) if rows else None


def instruments_requests(settings: Settings, kind: str, *, expired: bool) -> list[Request]:
    """Return how one kind's instruments of all currencies are asked for.

    Raises:
        UsageError: Deribit has no such kind.
    """
    if kind not in KINDS:
        raise UsageError(f"Deribit has no kind '{kind}'", hint=f"Known are {', '.join(KINDS)}.")
    base = settings.exchanges.deribit.rest_url
    return [
        public(
            base,
            "get_instruments",
            {"currency": "any", "kind": kind, "expired": state},
            INSTRUMENTS_WEIGHT,
        )
        for state in (("false", "true") if expired else ("false",))
    ]


def listings(document: Any) -> list[Listing]:
    """Return the names of a get_instruments document with their unified symbols."""
    return [
        Listing(entry["instrument_name"], _unified(entry), _is_perpetual(entry))
        for entry in document["result"]
    ]


def _is_perpetual(entry: Mapping[str, Any]) -> bool:
    return entry["kind"] == "future" and entry.get("expiration_timestamp") == NO_EXPIRY_MS


def _unified(entry: Mapping[str, Any]) -> str:
    if "combo" in entry["kind"]:
        return ""  # CCXT has no unified name for combos
    settle = entry.get("settlement_currency", "")
    expiry = entry.get("expiration_timestamp")
    return unified_name(
        entry["base_currency"],
        entry.get("counter_currency", entry["quote_currency"]),
        "" if entry["kind"] == "spot" else settle,
        expiry_ms=None if entry["kind"] == "spot" or expiry == NO_EXPIRY_MS else expiry,
        strike=str(entry.get("strike", "")),
        option={"call": "C", "put": "P"}.get(entry.get("option_type", ""), ""),
    )


def resolution(interval: str) -> str:
    """Return Deribit's name of a bar interval.

    Raises:
        UsageError: Deribit has no bars of this interval.
    """
    if interval not in RESOLUTIONS:
        raise UsageError(
            f"Deribit has no bars of {interval}", hint=f"Known are {', '.join(RESOLUTIONS)}."
        )
    return RESOLUTIONS[interval]


def chart_request(
    settings: Settings, instrument: str, interval: str, from_ms: int, until_ms: int
) -> Request:
    """Return how the bars that open in [`from_ms`, `until_ms`) are asked for."""
    params = {
        "instrument_name": instrument,
        "start_timestamp": str(from_ms),
        "end_timestamp": str(until_ms - 1),
        "resolution": resolution(interval),
    }
    return public(settings.exchanges.deribit.rest_url, "get_tradingview_chart_data", params)


def open_times(document: Any) -> list[int]:
    """Return the open times (ms) of a chart; status `no_data` is an empty one."""
    result = document.get("result") if isinstance(document, dict) else None
    if not isinstance(result, dict) or not isinstance(result.get("ticks", []), list):
        raise TransientExtractError("an answer without `result.ticks`")
    return [int(tick) for tick in result.get("ticks", [])]
