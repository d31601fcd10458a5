"""Deribit's own bars: public/get_tradingview_chart_data, page by page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from extract.bars import BarPage
from extract.client import Client
from extract.venues.deribit import BARS_PER_PAGE, chart_request, open_times, public, resolution
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
        request = public(self._settings.exchanges.deribit.rest_url, "get_time", {})
        _, now = self._client.ask(request, lambda document: int(document["result"]))
        return now

    def page(self, from_ms: int, until_ms: int, read: Callable[[list[int]], None]) -> BarPage:
        """Return the bars that open in [`from_ms`, `until_ms`)."""

        def checked(document: Any) -> list[int]:
            times = open_times(document)
            read(times)
            return times

        request = chart_request(self._settings, self._instrument, self._interval, from_ms, until_ms)
        answer, times = self._client.ask(request, checked)
        return BarPage(answer, times)
