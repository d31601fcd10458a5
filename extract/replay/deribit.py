"""Answers Deribit's public JSON-RPC methods over HTTP from the generated market."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from extract.replay.answer import Answer, Query
from extract.replay.deribit_bars import RESOLUTION_MILLIS, chart_bars, chart_document
from extract.replay.deribit_funding import funding_hours, is_perpetual
from extract.replay.deribit_instruments import Instrument
from extract.replay.deribit_market import INDEX_PRICES, INSTRUMENTS, index_price
from extract.replay.deribit_tape import DeribitTrade, generate
from extract.replay.deribit_trades import Selection, select
from extract.replay.exact_json import number, write_bytes
from lake.errors import CandlelakeError

PREFIX = "/api/v2"
TOOK_MICROS = 137
KINDS = ("future", "option", "spot", "future_combo", "option_combo")
CURRENCIES = ("BTC", "ETH", "USDC", "USDT", "EURR")


class RpcError(CandlelakeError):
    """Deribit answers this call with an error object in place of a result."""

    def __init__(self, code: int, message: str, *, data: object = None, status: int = 400) -> None:
        self.status = status
        self.error: dict[str, object] = {"code": code, "message": message}
        if data is not None:
            self.error["data"] = data
        super().__init__(message, where=str(code))


@dataclass(frozen=True, slots=True)
class Call:
    """One JSON-RPC call: method, parameters as text, the id if one was sent, the clock's time.

    Nothing is known after `known_ms`.
    """

    method: str
    parameters: Mapping[str, str]
    identity: object
    now_ms: int
    known_ms: int


class Deribit:
    """The venue: one method a JSON-RPC method."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._methods: Mapping[str, Callable[[Call], object]] = {
            "public/get_time": lambda call: call.now_ms,
            "public/test": lambda _: {"version": "1.2.26"},
            "public/get_currencies": lambda _: [_currency(name) for name in CURRENCIES],
            "public/get_instruments": self._instruments,
            "public/get_instrument": self._instrument,
            "public/get_index_price": self._index_price,
            "public/get_index_price_names": self._index_price_names,
            "public/get_last_trades_by_instrument": self._trades_by_instrument,
            "public/get_last_trades_by_instrument_and_time": self._trades_by_instrument,
            "public/get_last_trades_by_currency": self._trades_by_currency,
            "public/get_last_trades_by_currency_and_time": self._trades_by_currency,
            "public/get_tradingview_chart_data": self._chart_data,
            "public/get_funding_rate_history": self._funding_rates,
        }

    @cached_property
    def tapes(self) -> Mapping[str, list[DeribitTrade]]:
        """Every instrument's trades, made when first asked for."""
        return generate(self._seed)

    def answer(self, query: Query) -> Answer:
        """Answer one call, marked as generated."""
        identity: object = None
        try:
            call = _call(query)
            identity = call.identity
            outcome: dict[str, object] = {"result": self._dispatch(call)}
            status = 200
        except RpcError as error:
            outcome, status = {"error": error.error}, error.status
        return self.envelope(query, outcome, identity=identity, status=status)

    def envelope(
        self, query: Query, outcome: Mapping[str, object], *, identity: object = None, status: int
    ) -> Answer:
        """Wrap a result or an error as JSON-RPC 2.0, with the times of arrival and answer in µs."""
        document: dict[str, object] = {"jsonrpc": "2.0"}
        if identity is not None:
            document["id"] = identity
        document |= outcome
        document |= {
            "usIn": query.now.micros,
            "usOut": query.now.micros + TOOK_MICROS,
            "usDiff": TOOK_MICROS,
            "testnet": False,
        }
        marked = {"X-Replay-Generated": f"seed={self._seed}"}
        return Answer(write_bytes(document), status, "application/json", marked)

    def _dispatch(self, call: Call) -> object:
        method = self._methods.get(call.method)
        if method is None:
            raise RpcError(-32601, "Method not found")
        return method(call)

    def _instruments(self, call: Call) -> object:
        # The contract calls `currency` required; CCXT leaves it out and is answered with all.
        currency = _choice(call, "currency", CURRENCIES, default="any")
        kind = _choice(call, "kind", KINDS, default="any")
        expired = _choice(call, "expired", ("true", "false"), default="false") == "true"
        return [
            instrument.to_json(call.now_ms)
            for instrument in INSTRUMENTS.values()
            if listed(instrument, currency, kind) and instrument.is_active(call.now_ms) != expired
        ]

    def _instrument(self, call: Call) -> object:
        return _instrument_of(call).to_json(call.now_ms)

    def _index_price(self, call: Call) -> object:
        name = _choice(call, "index_name", tuple(INDEX_PRICES), default=None)
        price = number(index_price(name, call.now_ms))
        return {"index_price": price, "estimated_delivery_price": price}

    def _index_price_names(self, call: Call) -> object:
        if call.parameters.get("extended", "false") != "true":
            return [{"name": name} for name in INDEX_PRICES]
        both = {"future_combo_creation_enabled": True, "option_combo_creation_enabled": True}
        return [{"name": name, **both} for name in INDEX_PRICES]

    def _trades_by_instrument(self, call: Call) -> object:
        trades = self.tapes[_instrument_of(call).name]
        return self._page(call, trades, place=lambda trade: trade.trade_seq, suffix="seq")

    def _trades_by_currency(self, call: Call) -> object:
        currency = _choice(call, "currency", CURRENCIES, default=None)
        kind = _choice(call, "kind", (*KINDS, "combo", "any"), default="any")
        wanted = [t for t in self.tapes.values() if listed(t[0].instrument, currency, kind)]
        merged = sorted((t for tape in wanted for t in tape), key=_by_time)
        return self._page(call, merged, place=lambda trade: trade.trade_number, suffix="id")

    def _page(
        self,
        call: Call,
        trades: list[DeribitTrade],
        *,
        place: Callable[[DeribitTrade], int],
        suffix: str,
    ) -> object:
        selection = Selection(
            start_place=_place(call, f"start_{suffix}"),
            end_place=_place(call, f"end_{suffix}"),
            start_ms=_number(call, "start_timestamp"),
            end_ms=_end_of(call),
            count=_count(call),
            sorting=_choice(call, "sorting", ("asc", "desc", "default"), default="default"),
        )
        page, has_more = select(trades, selection, place)
        return {"trades": [trade.to_json() for trade in page], "has_more": has_more}

    def _chart_data(self, call: Call) -> object:
        instrument = _instrument_of(call)
        resolution = _choice(call, "resolution", tuple(RESOLUTION_MILLIS), default=None)
        start, end = _number(call, "start_timestamp"), _number(call, "end_timestamp")
        if start is None or end is None:
            raise _invalid("start_timestamp" if start is None else "end_timestamp")
        until = min(end, call.known_ms, instrument.expiry - 1)
        trades = [one for one in self.tapes[instrument.name] if one.time <= call.known_ms]
        bars = chart_bars(trades, resolution, start, until)
        return chart_document(bars)

    def _funding_rates(self, call: Call) -> object:
        instrument = _instrument_of(call)
        start, end = _number(call, "start_timestamp"), _number(call, "end_timestamp")
        if start is None or end is None:
            raise _invalid("start_timestamp" if start is None else "end_timestamp")
        if not is_perpetual(instrument):
            raise _invalid("instrument_name")
        return funding_hours(instrument, self._seed, start, min(end, call.known_ms))


def _call(query: Query) -> Call:
    """Read a call from the path and query string, or from a JSON-RPC body."""
    method = query.path.removeprefix(PREFIX).strip("/")
    if not query.body:
        return Call(method, query.parameters, query.parameters.get("id"), *_times(query))
    try:
        body = json.loads(query.body, parse_float=str)
    except ValueError as error:
        raise RpcError(-32700, "Parse error") from error
    if not isinstance(body, dict) or not isinstance(body.get("params", {}), dict):
        raise RpcError(-32600, "Invalid Request")
    parameters = {name: _text(value) for name, value in body.get("params", {}).items()}
    return Call(str(body.get("method", method)), parameters, body.get("id"), *_times(query))


def _times(query: Query) -> tuple[int, int]:
    return query.now.millis, query.known_ms


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _by_time(trade: DeribitTrade) -> tuple[int, str, int]:
    return trade.time, trade.instrument.family, trade.trade_number


def _invalid(parameter: str) -> RpcError:
    data = {"reason": "wrong format", "param": parameter}
    return RpcError(-32602, "Invalid params", data=data)


def _choice(call: Call, name: str, allowed: tuple[str, ...], *, default: str | None) -> str:
    value = call.parameters.get(name, default)
    if value is None or (value not in allowed and value != default):
        raise _invalid(name)
    return value


def _number(call: Call, name: str) -> int | None:
    text = call.parameters.get(name)
    if text is None:
        return None
    if not text.isdecimal():
        raise _invalid(name)
    return int(text)


def _end_of(call: Call) -> int:
    end = _number(call, "end_timestamp")
    return call.known_ms if end is None else min(end, call.known_ms)


def _place(call: Call, name: str) -> int | None:
    """Read a trade_seq, or a trade id such as `ETH-310000001`."""
    text = call.parameters.get(name)
    if text is None:
        return None
    digits = text.rpartition("-")[2]
    if not digits.isdecimal():
        raise _invalid(name)
    return int(digits)


def _count(call: Call) -> int:
    count = _number(call, "count")
    if count is None:
        return 10
    if not 1 <= count <= 1000:
        raise _invalid("count")
    return count


def _instrument_of(call: Call) -> Instrument:
    name = call.parameters.get("instrument_name", "")
    if not name:
        raise _invalid("instrument_name")
    if name not in INSTRUMENTS:
        raise RpcError(13020, "not_found", data={"param": "instrument_name"})
    return INSTRUMENTS[name]


def listed(instrument: Instrument, currency: str, kind: str) -> bool:
    """Say whether a currency and kind, as callers name them, list an instrument."""
    right_kind = kind in ("any", instrument.kind) or (
        kind == "combo" and instrument.kind.endswith("_combo")
    )
    return right_kind and (currency == "any" or currency in instrument.currencies)


def _currency(name: str) -> dict[str, object]:
    return {"currency": name, "currency_long": name, "coin_type": name, "min_confirmations": 1}
