"""Binance's three segments that answer requests, each with what it lists."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from extract.replay.answer import Answer, Query
from extract.replay.binance_futures import BinanceFutures
from extract.replay.binance_spot import BinanceSpot
from extract.replay.busy.listings import spot_symbols, usdm_contracts
from extract.replay.busy.rows import SPOT_STYLE, USDM_STYLE
from extract.replay.busy.tape import Busy
from extract.replay.busy.venue import BusyVenue
from extract.replay.exchange_clock import COINM, SPOT, USDM
from extract.replay.futures_tape import COINM_CONTRACTS, USDM_CONTRACTS
from extract.replay.spot_tapes import SpotTapes


class Binance:
    """Spot, USD-M and COIN-M, and the busy symbols of the first two where they are wanted.

    Args:
        directory: where the recordings lie.
        seed: of what is generated.
        limits: weight a minute by segment, which `exchangeInfo` tells.
        busy: how busy; None for no such symbols.
    """

    def __init__(
        self, directory: Path, seed: int, limits: Mapping[str, int], busy: Busy | None
    ) -> None:
        self.busy: Mapping[str, BusyVenue] = {}
        if busy is not None:
            self.busy = {
                SPOT: BusyVenue(busy, seed, "/api/v3", SPOT_STYLE),
                USDM: BusyVenue(busy, seed, "/fapi/v1", USDM_STYLE),
            }
        symbols = {} if busy is None else spot_symbols(busy)
        contracts = {} if busy is None else usdm_contracts(busy)
        self.spot = BinanceSpot(SpotTapes(directory), limits[SPOT], symbols)
        self.futures: Mapping[str, BinanceFutures] = {
            USDM: BinanceFutures("/fapi/v1", USDM_CONTRACTS, seed, limits[USDM], contracts),
            COINM: BinanceFutures("/dapi/v1", COINM_CONTRACTS, seed, limits[COINM]),
        }

    def weight(self, query: Query) -> int:
        """Return what a request costs of the minute's weight."""
        return self._venue(query).weight(query)

    def answer(self, query: Query) -> Answer:
        """Answer one request."""
        busy = self.busy.get(query.segment)
        if busy is not None and busy.knows(query):
            return busy.answer(query)
        return self._venue(query).answer(query)

    def _venue(self, query: Query) -> BinanceSpot | BinanceFutures:
        return self.spot if query.segment == SPOT else self.futures[query.segment]
