"""Finds what a Binance stream sends; what is not held is silent, as it is at the exchange."""

from __future__ import annotations

from collections.abc import Sequence

from extract.replay.binance_futures import BinanceFutures
from extract.replay.binance_spot import BinanceSpot
from extract.replay.binance_spot_symbols import SYMBOLS
from extract.replay.contract_tape import FuturesTape
from extract.replay.engine import Engine
from extract.replay.exchange_clock import SPOT
from extract.replay.futures_tape import AGGREGATE_SPAN
from extract.replay.spot_tapes import SpotTapes
from extract.replay.streams import binance_frames as write
from extract.replay.streams.busy_sources import busy_source
from extract.replay.streams.kline_source import FUTURES_PACE, SPOT_PACE, kline_source
from extract.replay.streams.source import Source

#: Futures send an aggregate when its 100 ms are over, and a little later.
AGGREGATE_DELAY = AGGREGATE_SPAN + 50


class SpotTrades:
    """`@trade` of a recorded symbol."""

    def __init__(self, tapes: SpotTapes, symbol: str) -> None:
        self._symbol = symbol
        self._tape = tapes.trades(symbol)

    def payloads(self, after_ms: int, until_ms: int) -> Sequence[bytes]:
        """Return the trades whose event time lies in (after, until]."""
        rows = self._tape.between(after_ms - write.SPOT_DELAY, until_ms - write.SPOT_DELAY)
        return [write.spot_trade(self._symbol, row) for row in rows]


class SpotAggregates:
    """`@aggTrade` of a recorded symbol."""

    def __init__(self, tapes: SpotTapes, symbol: str) -> None:
        self._symbol = symbol
        self._tapes = tapes

    def payloads(self, after_ms: int, until_ms: int) -> Sequence[bytes]:
        """Return the aggregates whose event time lies in (after, until]."""
        rows = self._tapes.agg_rows(
            self._symbol, after_ms - write.SPOT_DELAY, until_ms - write.SPOT_DELAY
        )
        return [write.spot_aggregate(self._symbol, cells, time_ms) for cells, time_ms in rows]


class FuturesTrades:
    """`@trade` of a generated contract."""

    def __init__(self, tape: FuturesTape) -> None:
        self._tape = tape

    def payloads(self, after_ms: int, until_ms: int) -> Sequence[bytes]:
        """Return the trades whose event time lies in (after, until]."""
        symbol, delay = self._tape.contract.symbol, write.FUTURES_DELAY
        trades = self._tape.trades_between(after_ms - delay, until_ms - delay)
        return [write.futures_trade(symbol, trade) for trade in trades]


class FuturesAggregates:
    """`@aggTrade` of a generated contract."""

    def __init__(self, tape: FuturesTape) -> None:
        self._tape = tape

    def payloads(self, after_ms: int, until_ms: int) -> Sequence[bytes]:
        """Return the aggregates whose event time lies in (after, until]."""
        symbol, delay = self._tape.contract.symbol, AGGREGATE_DELAY
        held = self._tape.aggregates_between(after_ms - delay, until_ms - delay)
        return [write.futures_aggregate(symbol, one, one.time + delay) for one in held]


def binance_source(engine: Engine, segment: str, stream: str) -> Source | None:
    """Return what a stream sends; None where nothing of that name is held.

    Symbols are lower-case in stream names: another spelling is a stream that never speaks.
    """
    symbol, _, kind = stream.partition("@")
    if symbol != symbol.lower():
        return None
    busy = engine.binance.busy.get(segment)
    if busy is not None and symbol.upper() in busy.rows:
        return busy_source(busy.rows[symbol.upper()], kind)
    if segment == SPOT:
        return _spot_source(engine.binance.spot, symbol.upper(), kind)
    return _futures_source(engine.binance.futures[segment], symbol.upper(), kind)


def _spot_source(venue: BinanceSpot, symbol: str, kind: str) -> Source | None:
    if symbol not in SYMBOLS:
        return None
    if kind == "trade":
        return SpotTrades(venue.tapes, symbol)
    if kind == "aggTrade":
        return SpotAggregates(venue.tapes, symbol)
    bars = venue.bars[symbol]
    return kline_source(bars, symbol, kind, pace_ms=SPOT_PACE, seconds_allowed=True)


def _futures_source(venue: BinanceFutures, symbol: str, kind: str) -> Source | None:
    tape = venue.tapes.get(symbol)
    if tape is None:
        return None
    if kind == "trade":
        return FuturesTrades(tape)
    if kind == "aggTrade":
        return FuturesAggregates(tape)
    return kline_source(tape, symbol, kind, pace_ms=FUTURES_PACE)
