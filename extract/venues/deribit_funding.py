"""Deribit's perpetuals: public/get_funding_rate_history, page by page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from extract.bars import BarPage, asked_page
from extract.client import Client
from extract.venues.deribit import HOURS_PER_PAGE, public, server_time_ms
from lake.errors import TransientExtractError
from lake.settings import Settings


class DeribitFunding:
    """One perpetual's hourly rates, a `BarSource` in steps of a minute."""

    bars_per_page = 60 * HOURS_PER_PAGE
    may_end_early = False

    def __init__(self, client: Client, settings: Settings, *, instrument: str) -> None:
        self._client = client
        self._base = settings.exchanges.deribit.rest_url
        self._instrument = instrument

    def clock_ms(self) -> int:
        """Return the exchange's own clock."""
        return server_time_ms(self._client, self._base)

    def page(self, from_ms: int, until_ms: int, read: Callable[[list[int]], None]) -> BarPage:
        """Return the hours that end in [`from_ms`, `until_ms`).

        The start is asked one millisecond early: a row stamped exactly at it may be left out
        (ccxt, `deribit.fetchFundingRateHistory`, sends `since - 1`).
        """
        params = {
            "instrument_name": self._instrument,
            "start_timestamp": str(from_ms - 1),
            "end_timestamp": str(until_ms - 1),
        }
        request = public(self._base, "get_funding_rate_history", params)
        return asked_page(self._client, request, _times, read)


def _times(document: Any) -> list[int]:
    try:
        return [int(entry["timestamp"]) for entry in document["result"]]
    except (TypeError, ValueError, LookupError) as error:
        raise TransientExtractError("an answer without a list of hours as its result") from error
