"""Answers Binance USD-M and COIN-M futures from a generated tape, by the futures' own rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

from extract.replay import binance_parameters as ask
from extract.replay.answer import Answer, Query, json_answer
from extract.replay.binance_futures_symbols import exchange_information
from extract.replay.binance_parameters import RefusalError
from extract.replay.contract_tape import FuturesTape
from extract.replay.futures_bars import EIGHT_PLACES, base_quantity
from extract.replay.futures_tape import (
    AGGREGATE_SPAN,
    Contract,
    FuturesAggregate,
    FuturesTrade,
)
from extract.replay.made_bar import INTERVAL_MILLIS
from extract.replay.perpetual_tape import (
    funding_row,
    settlements,
)
from extract.replay.trade_tape import TradeRow, TradeTape

HOUR = 3_600_000
AGG_TRADES_REACH = 48 * HOUR
HISTORY_REACH = 30 * 24 * HOUR
LONGEST_COINM_WINDOW = 200 * 24 * HOUR
CENT = Decimal("0.01")
WEIGHTS = {"/trades": 5, "/historicalTrades": 200, "/aggTrades": 20, "/fundingRate": 0}


class BinanceFutures:
    """One of the two futures venues; `prefix` is `/fapi/v1` or `/dapi/v1`.

    `listed` are more contracts, which others answer for.
    """

    def __init__(
        self,
        prefix: str,
        contracts: Mapping[str, Contract],
        seed: int,
        weight_limit: int,
        listed: Mapping[str, Contract] | None = None,
    ) -> None:
        self._listed = {**contracts, **(listed or {})}
        self._prefix = prefix
        self._coin_margined = prefix == "/dapi/v1"
        self._weight_limit = weight_limit
        self._seed = seed
        self.tapes = {name: FuturesTape(contract, seed) for name, contract in contracts.items()}
        self._routes: Mapping[str, Callable[[Query], Answer]] = {
            "/ping": lambda _: json_answer({}),
            "/time": lambda query: json_answer({"serverTime": query.now.millis}),
            "/exchangeInfo": self._exchange_info,
            "/trades": self._trades,
            "/historicalTrades": self._historical_trades,
            "/aggTrades": self._agg_trades,
            "/klines": self._klines,
            "/markPriceKlines": self._mark_price_klines,
            "/fundingRate": self._funding_rate,
        }

    def weight(self, query: Query) -> int:
        """Return what the request costs of the minute's weight (SDK 18.1.0 / 14.1.0)."""
        name = query.path.removeprefix(self._prefix)
        if name in ("/klines", "/markPriceKlines"):
            limit = query.parameters.get("limit", "500")
            return _klines_weight(int(limit) if limit.isdecimal() else 500)
        return WEIGHTS.get(name, 1)

    def answer(self, query: Query) -> Answer:
        """Answer one request, marked as generated."""
        route = self._routes.get(query.path.removeprefix(self._prefix))
        if route is None or not query.path.startswith(self._prefix):
            text = f"Path {query.path}, Method GET is invalid"
            return RefusalError(-5000, text, status=404).answer()
        try:
            answer = route(query)
        except RefusalError as refusal:
            answer = refusal.answer()
        return answer.with_headers({"X-Replay-Generated": f"seed={self._seed}"})

    def _exchange_info(self, query: Query) -> Answer:
        contracts = self._listed.values()
        return json_answer(exchange_information(query.now.millis, self._weight_limit, contracts))

    def _tape(self, query: Query) -> FuturesTape:
        return self.tapes[ask.symbol_of(query.parameters, self.tapes)]

    def _trades(self, query: Query) -> Answer:
        limit = ask.strict_limit(query.parameters, default=500, most=1000)
        tape = self._tape(query)
        return json_answer(self._rows(tape, query, HISTORY_REACH).newest(limit))

    def _historical_trades(self, query: Query) -> Answer:
        if not query.headers.get("x-mbx-apikey"):
            raise RefusalError(-2014, "API-key format invalid.", status=401)
        limit = ask.strict_limit(query.parameters, default=500, most=500)
        first_id = ask.integer(query.parameters, "fromId")
        rows = self._rows(self._tape(query), query, HISTORY_REACH)
        return json_answer(
            rows.newest(limit) if first_id is None else rows.from_id(first_id, limit)
        )

    def _rows(self, tape: FuturesTape, query: Query, reach: int) -> TradeTape:
        oldest, newest = query.known_ms - reach, query.known_ms
        held = (trade for trade in tape.trades if oldest <= trade.time <= newest)
        return TradeTape([_trade_row(tape.contract, trade) for trade in held])

    def _agg_trades(self, query: Query) -> Answer:
        tape = self._tape(query)
        first_id = ask.integer(query.parameters, "fromId")
        start, end = _window(query.parameters)
        if first_id is not None and (start is not None or end is not None):
            raise RefusalError(-1128, "Combination of optional parameters invalid.")
        if start is not None and end is not None and end - start > HOUR:
            raise RefusalError(-1127, "More than 1 hours between startTime and endTime.")
        limit = ask.strict_limit(query.parameters, default=500, most=1000)
        earliest = max(start or 0, query.known_ms - AGG_TRADES_REACH)
        # one that still fills is not published
        newest = query.known_ms - AGGREGATE_SPAN
        latest = newest if end is None else min(end, newest)
        held = [a for a in tape.aggregates if earliest <= a.time <= latest]
        held = [a for a in held if first_id is None or a.agg_id >= first_id]
        from_the_end = first_id is None and start is None
        page = held[-limit:] if from_the_end else held[:limit]
        return json_answer([_agg_row(aggregate) for aggregate in page])

    def _klines(self, query: Query) -> Answer:
        return self._bars(query, self._tape(query).klines)

    def _mark_price_klines(self, query: Query) -> Answer:
        return self._bars(query, self._tape(query).mark_klines)

    def _bars(self, query: Query, tape: Callable[[str, int], list[list[object]]]) -> Answer:
        interval = ask.interval_of(query.parameters, seconds_allowed=False)
        limit = ask.strict_limit(query.parameters, default=500, most=1500)
        start, end = _window(query.parameters)
        if self._coin_margined and start is not None and end is not None:
            _refuse_long_window(start, end)
        if interval not in INTERVAL_MILLIS:
            return json_answer([])
        bars = [b for b in tape(interval, query.known_ms) if _opened_in(b, start, end)]
        from_the_end = self._coin_margined or start is None
        return json_answer(bars[-limit:] if from_the_end else bars[:limit])

    def _funding_rate(self, query: Query) -> Answer:
        """Answer both ends included, ascending; without a start the newest ones."""
        contract = self._tape(query).contract
        limit = ask.strict_limit(query.parameters, default=100, most=1000)
        start, end = _window(query.parameters)
        rows = [
            funding_row(contract.symbol, one)
            for one in settlements(contract, self._seed, query.known_ms)
            if one.time <= query.known_ms and _within(one.time, start, end)
        ]
        return json_answer(rows[-limit:] if start is None else rows[:limit])


def _window(parameters: Mapping[str, str]) -> tuple[int | None, int | None]:
    return ask.integer(parameters, "startTime"), ask.integer(parameters, "endTime")


def _refuse_long_window(start: int, end: int) -> None:
    if end - start > LONGEST_COINM_WINDOW:
        raise RefusalError(-4088, "Maximum time interval is 200 days.")


def _opened_in(bar: list[object], start: int | None, end: int | None) -> bool:
    opened = bar[0]
    if not isinstance(opened, int):
        raise TypeError(f"a kline's open time is a whole number, not {opened!r}")
    return _within(opened, start, end)


def _within(time: int, start: int | None, end: int | None) -> bool:
    return (start is None or time >= start) and (end is None or time <= end)


def _klines_weight(limit: int) -> int:
    if limit < 100:
        return 1
    if limit < 500:
        return 2
    return 5 if limit <= 1000 else 10


def _trade_row(contract: Contract, trade: FuturesTrade) -> TradeRow:
    return {
        "id": trade.trade_id,
        "price": f"{trade.price:f}",
        "qty": f"{trade.quantity:f}",
        **_value_field(contract, trade),
        "time": trade.time,
        "isBuyerMaker": trade.buyer_is_maker,
    }


def _value_field(contract: Contract, trade: FuturesTrade) -> dict[str, object]:
    if contract.contract_size is None:
        # USD-M cuts its quote quantity at 2 decimals (recorded in 2020 and 2023).
        quote = (trade.price * trade.quantity).quantize(CENT, ROUND_DOWN)
        return {"quoteQty": f"{quote:f}"}
    base = base_quantity(contract.contract_size, [trade]).quantize(EIGHT_PLACES, ROUND_HALF_UP)
    return {"baseQty": f"{base:f}"}


def _agg_row(aggregate: FuturesAggregate) -> dict[str, object]:
    return {
        "a": aggregate.agg_id,
        "p": f"{aggregate.price:f}",
        "q": f"{aggregate.quantity:f}",
        "f": aggregate.first_id,
        "l": aggregate.last_id,
        "T": aggregate.time,
        "m": aggregate.buyer_is_maker,
    }
