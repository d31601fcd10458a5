"""Answers Binance spot's market-data paths from recordings; it never makes up a trade or a bar."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from extract.replay import binance_parameters as ask
from extract.replay.agg_tape import Bounds
from extract.replay.answer import JSON, Answer, Query, json_answer
from extract.replay.bar_tape import in_micros
from extract.replay.binance_parameters import RefusalError
from extract.replay.binance_spot_symbols import SYMBOLS, SpotSymbol, exchange_information
from extract.replay.exchange_clock import Instant
from extract.replay.live_bars import LiveBars
from extract.replay.spot_bars import SpotBars
from extract.replay.spot_tapes import SpotTapes
from extract.replay.trade_tape import time_in_micros

# Weights of 2025: binance-spot-api-docs, rest-api.md.
WEIGHTS: Mapping[str, int] = {
    "/api/v3/ping": 1,
    "/api/v3/time": 1,
    "/api/v3/exchangeInfo": 20,
    "/api/v3/trades": 25,
    "/api/v3/historicalTrades": 25,
    "/api/v3/aggTrades": 4,
    "/api/v3/klines": 2,
}


class BinanceSpot:
    """The venue: one method a path; `listed` are more symbols, which others answer for."""

    def __init__(
        self, tapes: SpotTapes, weight_limit: int, listed: Mapping[str, SpotSymbol]
    ) -> None:
        self.tapes = tapes
        self._listed = {**SYMBOLS, **listed}
        self.bars = {symbol: SpotBars(tapes, symbol) for symbol in SYMBOLS}
        self._weight_limit = weight_limit
        self._routes: Mapping[str, Callable[[Query], Answer]] = {
            "/api/v3/ping": lambda _: json_answer({}),
            "/api/v3/time": lambda query: json_answer({"serverTime": query.now.millis}),
            "/api/v3/exchangeInfo": self._exchange_info,
            "/api/v3/trades": self._trades,
            "/api/v3/historicalTrades": self._historical_trades,
            "/api/v3/aggTrades": self._agg_trades,
            "/api/v3/klines": self._klines,
        }

    def weight(self, query: Query) -> int:
        """Return what the request costs of the minute's weight."""
        return WEIGHTS.get(query.path, 1)

    def answer(self, query: Query) -> Answer:
        """Answer one request; a bad one gets the exchange's own error body."""
        route = self._routes.get(query.path)
        if route is None:
            return Answer(b"<html><body>404 Not found</body></html>", 404, "text/html")
        try:
            return route(query)
        except RefusalError as refusal:
            return refusal.answer()

    def _exchange_info(self, query: Query) -> Answer:
        names = _wanted_symbols(query.parameters, self._listed)
        wanted = {name: self._listed[name] for name in names}
        document = exchange_information(query.now.millis, self._weight_limit, wanted)
        return json_answer(document).with_headers({"X-Replay-Generated": "facts"})

    def _agg_trades(self, query: Query) -> Answer:
        symbol = ask.symbol_of(query.parameters, SYMBOLS)
        bounds = Bounds(
            first_id=ask.integer(query.parameters, "fromId"),
            start_micros=ask.start_micros(query.parameters),
            end_micros=_earlier(ask.end_micros(query.parameters), query.horizon),
        )
        timed = "startTime" in query.parameters or "endTime" in query.parameters
        if bounds.first_id is not None and timed:
            raise RefusalError(-1128, "Combination of optional parameters invalid.")
        limit = ask.clamped_limit(query.parameters, default=500, most=1000)
        newest = bounds.first_id is None and bounds.start_micros is None
        pieces = self.tapes.agg_trades(symbol).page(bounds, limit, newest=newest)
        micros = _wants_micros(query)
        return Answer(
            b"[" + b",".join([rows.to_json(micros=micros) for rows in pieces]) + b"]", 200, JSON
        )

    def _trades(self, query: Query) -> Answer:
        symbol = ask.symbol_of(query.parameters, SYMBOLS)
        limit = ask.clamped_limit(query.parameters, default=500, most=1000)
        tape = self.tapes.trades(symbol)
        return _trade_answer(query, tape.newest(limit, _until_ms(query)))

    def _historical_trades(self, query: Query) -> Answer:
        first_id = ask.integer(query.parameters, "fromId")
        if first_id is None:
            return self._trades(query)
        symbol = ask.symbol_of(query.parameters, SYMBOLS)
        limit = ask.clamped_limit(query.parameters, default=500, most=1000)
        tape = self.tapes.trades(symbol)
        return _trade_answer(query, tape.from_id(first_id, limit, _until_ms(query)))

    def _klines(self, query: Query) -> Answer:
        symbol = ask.symbol_of(query.parameters, SYMBOLS)
        interval = ask.interval_of(query.parameters, seconds_allowed=True)
        limit = ask.clamped_limit(query.parameters, default=500, most=1000)
        start, end = ask.start_micros(query.parameters), ask.end_micros(query.parameters)
        start_ms = None if start is None else -(-start // 1000)
        window = (start_ms, None if end is None else end // 1000)
        if query.horizon is not None:
            rows = self._live_rows(symbol, interval, query.horizon.millis).page(*window, limit)
        else:
            bars = self.tapes.bars(symbol, interval)
            rows = [] if bars is None else bars.page(*window, limit)
        return json_answer([in_micros(row) for row in rows] if _wants_micros(query) else rows)

    def _live_rows(self, symbol: str, interval: str, now_ms: int) -> LiveBars:
        return LiveBars(self.tapes.bars(symbol, interval), self.bars[symbol], interval, now_ms)


def _trade_answer(query: Query, rows: object) -> Answer:
    if isinstance(rows, list) and _wants_micros(query):
        return json_answer([time_in_micros(row) for row in rows])
    return json_answer(rows)


def _earlier(end_micros: int | None, horizon: Instant | None) -> int | None:
    if horizon is None or (end_micros is not None and end_micros < horizon.micros):
        return end_micros
    return horizon.micros


def _until_ms(query: Query) -> int | None:
    return None if query.horizon is None else query.horizon.millis


def _wants_micros(query: Query) -> bool:
    return query.headers.get("x-mbx-time-unit", "").upper() == "MICROSECOND"


def _wanted_symbols(parameters: Mapping[str, str], known: Mapping[str, SpotSymbol]) -> list[str]:
    if "symbol" in parameters and "symbols" in parameters:
        raise RefusalError(-1128, "Combination of optional parameters invalid.")
    if "symbol" in parameters:
        return [ask.symbol_of(parameters, known)]
    if "symbols" not in parameters:
        return list(known)
    wanted = _symbol_list(parameters["symbols"])
    if not set(wanted) <= set(known):
        raise RefusalError(-1121, "Invalid symbol.")
    return wanted


def _symbol_list(text: str) -> list[str]:
    try:
        wanted = json.loads(text)
    except ValueError:
        wanted = None
    if not isinstance(wanted, list) or not all(isinstance(name, str) for name in wanted):
        raise RefusalError(-1100, "Illegal characters found in parameter 'symbols'.")
    return wanted
