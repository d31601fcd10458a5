from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from extract.replay.busy.rows import SPOT_STYLE, BusyRows
from extract.replay.busy.tape import FIRST_ID, PERIOD, Busy, BusyTape
from extract.replay.engine import Engine, Rules
from extract.replay.exchange import ReplayExchange
from extract.replay.exchange_clock import SPOT, USDM, Live
from extract.replay.futures_tape import SEED
from extract.replay.streams.binance_sources import binance_source
from lake.clock import to_millis
from lake.errors import UsageError
from tests.replay.asking import Asking
from tests.replay.listening import Watch

BUSY = Busy(instruments=4, trades_per_second=20_000)
START = to_millis(BUSY.start)
NOW = BUSY.start + timedelta(minutes=30, seconds=20)
NAME = "BUSY002USDT"
KEY = {"X-MBX-APIKEY": "any"}
MINUTE = 60_000


@pytest.fixture
def busy_exchange(watch: Watch) -> ReplayExchange:
    return ReplayExchange(Rules(live=Live(NOW), busy=BUSY, seconds=watch))


@pytest.fixture(scope="module")
def tape() -> BusyTape:
    return BusyTape(NAME, BUSY, SEED)


def sent(segment: str, stream: str, after: int, until: int, busy: Busy = BUSY) -> list[Any]:
    source = binance_source(Engine(Rules(busy=busy)), segment, stream)
    assert source is not None
    return [json.loads(one, parse_float=str) for one in source.payloads(after, until)]


@pytest.mark.parametrize("place", [0, 1, 4_095, 4_096, 123_456, 10**12])
def test_count_of_trades_agrees_with_their_times(tape: BusyTape, place: int) -> None:
    time = tape.time(place)

    assert tape.count(time - 1) <= place < tape.count(time)
    assert tape.time(tape.count(time)) > time


def test_rate_is_what_was_asked_for(tape: BusyTape) -> None:
    assert tape.count(START + 999) * BUSY.instruments == 20_000
    assert tape.count(START - 1) == 0


@pytest.mark.parametrize(("first", "end"), [(0, 1), (4_000, 4_100), (5, 9_000), (8_191, 8_193)])
def test_totals_are_those_of_a_walk(tape: BusyTape, first: int, end: int) -> None:
    places = [place % PERIOD for place in range(first, end)]
    totals = tape.totals(first, end)

    assert totals.high == max(tape.ticks[slot] for slot in places)
    assert totals.low == min(tape.ticks[slot] for slot in places)
    assert totals.quantity == sum(tape.quantities[slot] for slot in places)
    assert totals.quote == sum(tape.ticks[slot] * tape.quantities[slot] for slot in places)
    taken = [slot for slot in places if not tape.makers[slot]]
    assert totals.taker_quantity == sum(tape.quantities[slot] for slot in taken)


def test_neighbouring_prices_differ_so_that_each_trade_is_an_aggregate(tape: BusyTape) -> None:
    prices = [*tape.ticks, tape.ticks[0]]

    assert all(one != other for one, other in pairwise(prices))
    assert min(prices) > 0


def test_seed_and_symbol_make_the_trades() -> None:
    same, seeded = BusyTape(NAME, BUSY, SEED), BusyTape(NAME, BUSY, SEED + 1)
    other = BusyTape("BUSY003USDT", BUSY, SEED)

    assert BusyTape(NAME, BUSY, SEED).ticks == same.ticks
    assert same.ticks != seeded.ticks
    assert same.quantities != other.quantities


def test_spot_stream_and_rest_agree_at_any_id(busy_exchange: ReplayExchange) -> None:
    now = to_millis(NOW)
    with busy_exchange as exchange:
        ask = Asking(exchange.urls)
        newest = ask.spot("trades", symbol=NAME, limit=1000)
        first = newest[0]["id"]
        history = ask.spot("historicalTrades", symbol=NAME, fromId=first, limit=1000)
        aggregates = ask.spot("aggTrades", symbol=NAME, fromId=first, limit=1000)
        window = ask.spot("aggTrades", symbol=NAME, startTime=newest[0]["time"], limit=1000)
        oldest = ask.spot("historicalTrades", symbol=NAME, fromId=1, limit=2)
    trades = sent(SPOT, f"{NAME.lower()}@trade", now - 1000, now + 1)
    merged = sent(SPOT, f"{NAME.lower()}@aggTrade", now - 1000, now + 1)

    assert newest == history
    assert newest[-1]["time"] <= now
    assert [row["id"] for row in oldest] == [FIRST_ID, FIRST_ID + 1]
    fields = {"t": "id", "p": "price", "q": "qty", "T": "time", "m": "isBuyerMaker"}
    by_id = {one["t"]: {there: one[here] for here, there in fields.items()} for one in trades}
    for row in history:
        assert by_id[row["id"]] == {name: row[name] for name in fields.values()}
    by_agg = {one["a"]: {name: one[name] for name in aggregates[0]} for one in merged}
    assert [by_agg[row["a"]] for row in aggregates] == aggregates
    assert window[:900] == aggregates[:900]


def test_usdm_stream_and_rest_agree(busy_exchange: ReplayExchange) -> None:
    now = to_millis(NOW)
    with busy_exchange as exchange:
        ask = Asking(exchange.urls)
        aggregates = ask.usdm("aggTrades", symbol=NAME, limit=1000)
        trades = ask.usdm("historicalTrades", KEY, symbol=NAME, fromId=FIRST_ID, limit=2)
        refused = ask.usdm("historicalTrades", symbol=NAME)
    merged = sent(USDM, f"{NAME.lower()}@aggTrade", now - 1000, now + 8)

    by_agg = {one["a"]: {name: one[name] for name in aggregates[0]} for one in merged}
    assert [by_agg[row["a"]] for row in aggregates] == aggregates
    assert "M" not in aggregates[0]
    assert [row["id"] for row in trades] == [FIRST_ID, FIRST_ID + 1]
    assert refused["code"] == -2014


@pytest.mark.parametrize(("segment", "kind", "delay"), [("spot", SPOT, 1), ("usdm", USDM, 8)])
def test_bars_follow_from_the_trades(segment: str, kind: str, delay: int) -> None:
    busy = Busy(instruments=4, trades_per_second=401)
    minute = START + 29 * MINUTE
    with ReplayExchange(Rules(now={kind: NOW}, busy=busy)) as exchange:
        venue = getattr(Asking(exchange.urls), segment)
        whole, forming = venue("klines", symbol=NAME, interval="1m", startTime=minute)
    window = (minute - 1 + delay, minute + MINUTE - 1 + delay)
    trades = sent(kind, f"{NAME.lower()}@trade", *window, busy)
    edge = (minute + MINUTE - 1, minute + MINUTE)
    closed = sent(kind, f"{NAME.lower()}@kline_1m", *edge, busy)[0]["k"]

    prices = [Decimal(one["p"]) for one in trades]
    assert [Decimal(price) for price in whole[1:5]] == [
        *(prices[0], max(prices), min(prices), prices[-1])
    ]
    assert Decimal(whole[5]) == sum(Decimal(one["q"]) for one in trades)
    assert whole[8] == len(trades)
    assert (closed["f"], closed["L"]) == (trades[0]["t"], trades[-1]["t"])
    assert [closed[letter] for letter in "tohlcvTqnVQ"] == whole[:11]
    assert closed["x"]
    # 20 seconds of the next minute
    assert forming[0] == minute + MINUTE
    assert abs(forming[8] - len(trades) / 3) <= 1


def test_exact_bar_of_a_short_walk() -> None:
    rows = BusyRows(BusyTape(NAME, BUSY, SEED), SPOT_STYLE)
    trades = [rows.trade(place) for place in range(5_000)]
    made = rows.bar(1_000, START, START + 999)
    assert made is not None

    quantities = [Decimal(str(trade["qty"])) for trade in trades]
    prices = [Decimal(str(trade["price"])) for trade in trades]
    assert made.row[1] == trades[0]["price"]
    assert made.row[4] == trades[-1]["price"]
    assert Decimal(str(made.row[5])) == sum(quantities)
    assert Decimal(str(made.row[7])) == sum(
        price * quantity for price, quantity in zip(prices, quantities, strict=True)
    )
    assert (made.first_id, made.last_id) == (trades[0]["id"], trades[-1]["id"])


def test_quiet_bar_is_flat() -> None:
    slow = BusyRows(BusyTape(NAME, Busy(instruments=1, trades_per_second=1), SEED), SPOT_STYLE)
    made = slow.bar(100, START + 5_500, START + 5_599)
    assert made is not None

    close = slow.trade(5)["price"]
    assert made.row[1:6] == [close, close, close, close, "0.00000000"]
    assert (str(made.row[8]), made.first_id, made.last_id) == ("0", -1, -1)


def test_busy_symbols_are_listed_and_held_when_wanted_and_else_not(
    busy_exchange: ReplayExchange, ask: Asking
) -> None:
    with busy_exchange as exchange:
        busy = Asking(exchange.urls)
        spot = [one["symbol"] for one in busy.spot("exchangeInfo")["symbols"]]
        usdm = [one["symbol"] for one in busy.usdm("exchangeInfo")["symbols"]]
        held = busy.get(f"{busy.urls.root}/replay/holdings").json()["holdings"]
        marked = busy.get(f"{busy.urls.spot}/api/v3/trades", symbol=NAME).headers

    assert spot[-4:] == usdm[-4:] == BUSY.symbols
    made = [one for one in held if one["instrument"].startswith("BUSY")]
    assert len(made) == 2 * 3 * 4
    assert all(one["generated"] for one in made)
    assert marked["X-Replay-Generated"] == f"seed={SEED}"
    assert "BUSY" not in ask.get(f"{ask.urls.root}/replay/holdings").text
    assert ask.spot("trades", symbol=NAME)["code"] == -1121


def test_what_is_busy_ends_at_a_clock_that_stands_still() -> None:
    still = datetime(2025, 3, 25, 22, 8, tzinfo=UTC)
    with ReplayExchange(Rules(busy=BUSY, now={SPOT: still})) as exchange:
        newest = Asking(exchange.urls).spot("trades", symbol=NAME, limit=1)

    assert newest[0]["time"] == to_millis(still)


@pytest.mark.parametrize(("instruments", "trades"), [(0, 1), (1_001, 1), (1, 0)])
def test_impossible_market_is_one_clear_error(instruments: int, trades: int) -> None:
    with pytest.raises(UsageError, match="there can't be"):
        Busy(instruments=instruments, trades_per_second=trades)
