"""Deribit's own bars: public/get_tradingview_chart_data, page by page."""

from __future__ import annotations

from collections.abc import Callable

from extract.bars import BarPage, asked_page
from extract.client import Client
from extract.venues.deribit import (
    BARS_PER_PAGE,
    chart_request,
    open_times,
    resolution,
    server_time_ms,
)
from lake.settings import Settings


class DeribitBars:
    """One instrument's bars, a `BarSource`."""

    bars_per_page = BARS_PER_PAGE
    may_end_early = False

    def __init__(
        self, client: Client, settings: Settings, *, instrument: str, interval: str
    ) -> None:
        resolution(interval)
        self._client = client
        self._settings = settings
        self._instrument = instrument
        self._interval = interval

    def clock_ms(self) -> int:
        """Return the exchange's own clock."""
        return server_time_ms(self._client, self._settings.exchanges.deribit.rest_url)

    def page(self, from_ms: int, until_ms: int, read: Callable[[list[int]], None]) -> BarPage:
        """Return the bars that open in [`from_ms`, `until_ms`)."""
        request = chart_request(self._settings, self._instrument, self._interval, from_ms, until_ms)
        return asked_page(self._client, request, open_times, read)
