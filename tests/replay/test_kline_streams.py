from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from extract.replay.engine import Engine, Rules
from extract.replay.exchange_clock import COINM, SPOT, USDM
from extract.replay.streams.binance_sources import binance_source
from lake.clock import to_millis
from tests.replay.asking import Asking
from tests.replay.listening import listen, live

MINUTE = 60_000
TRADES_START = to_millis(datetime(2025, 3, 25, 23, 7, tzinfo=UTC))
FIRST_ID = 4_744_868_157
WINDOW_START = to_millis(datetime(2024, 8, 8, 23, 56, tzinfo=UTC))
QUIET = WINDOW_START + 10 * MINUTE
#: Where a bar over REST has what a message calls by a letter.
SLOTS = {"t": 0, "o": 1, "h": 2, "l": 3, "c": 4, "v": 5, "T": 6, "q": 7, "n": 8, "V": 9, "Q": 10}


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(Rules())


def sent(engine: Engine, segment: str, stream: str, after: int, until: int) -> list[Any]:
    source = binance_source(engine, segment, stream)
    assert source is not None
    return [json.loads(one, parse_float=str) for one in source.payloads(after, until)]


def as_row(kline: dict[str, Any]) -> list[Any]:
    return [kline[letter] for letter in SLOTS]


def test_bar_is_sent_every_two_seconds_and_once_when_closed(engine: Engine) -> None:
    minute = sent(engine, SPOT, "btcusdt@kline_1m", TRADES_START, TRADES_START + MINUTE)

    assert [one["E"] for one in minute] == [TRADES_START + 2000 * n for n in range(1, 31)]
    assert [one["k"]["x"] for one in minute] == [False] * 29 + [True]
    counts = [one["k"]["n"] for one in minute]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_closed_bars_follow_from_the_trades_over_rest() -> None:
    with live("2025-03-25T23:06:59Z", speed=60) as exchange:
        heard = listen(exchange, f"{exchange.urls.spot}/ws/btcusdt@kline_1m", 61)
        ask = Asking(exchange.urls)
        rows = ask.spot("klines", symbol="BTCUSDT", interval="1m", limit=1000)
        minute: dict[str, Any] = {"symbol": "BTCUSDT", "limit": 1000}
        trades = ask.spot("historicalTrades", fromId=FIRST_ID, **minute)
        trades += ask.spot("historicalTrades", fromId=FIRST_ID + 1000, **minute)

    closed = [one["k"] for one in heard if one["k"]["x"]]
    first = [trade for trade in trades if trade["time"] < TRADES_START + MINUTE]
    assert [as_row(kline) for kline in closed[:2]] == [row[:11] for row in rows[:2]]
    assert [row[0] for row in rows] == [TRADES_START, TRADES_START + MINUTE, rows[2][0]]
    ids = (closed[0]["n"], closed[0]["f"], closed[0]["L"])
    assert ids == (len(first), FIRST_ID, first[-1]["id"])
    volume = sum((Decimal(trade["qty"]) for trade in first), Decimal(0))
    assert Decimal(closed[0]["v"]) == volume


def test_recorded_hour_equals_the_bar_made_of_its_trades(engine: Engine) -> None:
    midnight = to_millis(datetime(2024, 1, 1, tzinfo=UTC))
    asked = ("klines", "BTCUSDT", "1h")
    made = engine.binance.spot.bars["BTCUSDT"].bar(
        60 * MINUTE, midnight, midnight + 60 * MINUTE - 1
    )
    with live("2024-01-01T01:30:00Z") as exchange:
        rows = Asking(exchange.urls).spot(asked[0], symbol=asked[1], interval=asked[2], limit=2)

    assert made is not None
    assert [str(cell) for cell in made.row] == [str(cell) for cell in rows[0]]
    # the second hour forms: its volume is not that of the whole hour, which was recorded
    assert (rows[1][0], rows[1][8]) == (midnight + 60 * MINUTE, rows[1][8])
    assert 0 < rows[1][8] < 50_000


@pytest.mark.parametrize(("segment", "symbol"), [(USDM, "BTCUSDT"), (COINM, "BTCUSD_PERP")])
@pytest.mark.parametrize("interval", ["1m", "5m"])
def test_futures_bars_are_those_of_rest(
    engine: Engine, segment: str, symbol: str, interval: str
) -> None:
    stream = f"{symbol.lower()}@kline_{interval}"
    edges = [WINDOW_START + MINUTE * number for number in range(1, 15)]
    messages = [one for edge in edges for one in sent(engine, segment, stream, edge - 1, edge)]
    venue = engine.binance.futures[segment].tapes[symbol]
    rows = venue.klines(interval, to_millis(datetime(2024, 8, 9, 0, 15, tzinfo=UTC)))

    closed = {one["k"]["t"]: as_row(one["k"]) for one in messages if one["k"]["x"]}
    by_start = {row[0]: [_plain(cell) for cell in row[:11]] for row in rows}
    assert len(closed) == (14 if interval == "1m" else 3)
    assert closed == {start: by_start[start] for start in closed}


def _plain(cell: object) -> object:
    return int(cell) if type(cell).__name__ == "Number" else cell  # type: ignore[call-overload]


def test_quiet_minute_is_sent_flat(engine: Engine) -> None:
    messages = sent(engine, USDM, "btcusdt@kline_1m", QUIET, QUIET + MINUTE)
    kline = messages[-1]["k"]

    assert len(messages) == 240
    assert kline["x"]
    assert (kline["n"], kline["f"], kline["L"]) == (0, -1, -1)
    assert len({kline[price] for price in "ohlc"}) == 1


def test_bars_end_where_the_tape_ends(engine: Engine) -> None:
    after = TRADES_START + 3 * MINUTE
    messages = sent(engine, SPOT, "btcusdt@kline_1m", after, after + 10 * MINUTE)

    assert [one["E"] for one in messages] == [after + 2000, after + 4000]
    assert not any(one["k"]["x"] for one in messages)


def test_bar_that_begins_before_the_tape_is_never_sent(engine: Engine) -> None:
    around = (TRADES_START - MINUTE, TRADES_START + 3 * MINUTE)

    assert sent(engine, SPOT, "btcusdt@kline_5m", *around) == []
    assert sent(engine, SPOT, "btcusdt@kline_1h", *around) == []


def test_windows_that_follow_one_another_give_each_message_once(engine: Engine) -> None:
    whole = sent(engine, SPOT, "ethusdt@kline_1m", TRADES_START, TRADES_START + 150_000)
    parts = []
    for after in range(TRADES_START, TRADES_START + 150_000, 777):
        until = min(after + 777, TRADES_START + 150_000)
        parts += sent(engine, SPOT, "ethusdt@kline_1m", after, until)

    assert parts == whole


def test_nothing_is_sent_before_the_first_trade(engine: Engine) -> None:
    first = engine.binance.futures[USDM].tapes["BTCUSDT"].trades[0].time
    messages = sent(engine, USDM, "btcusdt@kline_1h", WINDOW_START - 10 * MINUTE, first + 500)

    assert {one["k"]["n"] > 0 for one in messages} == {True}
    assert messages[0]["E"] - first <= 250


SESSIONS = {
    SPOT: ("BINANCE.ws.1.0", "btcusdt"),
    USDM: ("BINANCE_FUTURES.ws.1.0", "btcusdt"),
    COINM: ("BINANCE_DELIVERY.ws.1.0", "btcusd_perp"),
}


def recorded(reference: Path, session: str, kind: str) -> dict[str, Any]:
    lines = (reference / "sessions_http_ws" / session).read_text().splitlines()[1:]
    messages = (json.loads(line.partition(": ")[2]) for line in lines)
    return next(one["data"] for one in messages if one["stream"].endswith(kind))


def types(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: types(inner) for name, inner in value.items()}
    return type(value).__name__


@pytest.mark.parametrize("segment", SESSIONS)
@pytest.mark.parametrize("kind", ["@kline_1m", "@aggTrade"])
def test_message_has_the_recorded_fields_in_the_recorded_order(
    engine: Engine, reference: Path, segment: str, kind: str
) -> None:
    session, symbol = SESSIONS[segment]
    real = recorded(reference, session, kind)
    start = to_millis(datetime(2025, 9, 1, tzinfo=UTC)) if segment == SPOT else WINDOW_START
    ours = sent(engine, segment, f"{symbol}{kind}", start, start + MINUTE)[0]

    assert json.dumps(types(ours)) == json.dumps(types(real))


@pytest.mark.parametrize(
    ("segment", "tape", "stream"),
    [
        (SPOT, "spot_btcusdt_20240808.gz", "btcusdt@trade"),
        (COINM, "cm_btcusd_perp_20240808.gz", "btcusd_perp@trade"),
    ],
)
def test_trade_has_the_recorded_fields_in_the_recorded_order(
    engine: Engine, reference: Path, segment: str, tape: str, stream: str
) -> None:
    with gzip.open(reference / "trade_tapes" / tape, "rt") as lines:
        real = next(json.loads(line.partition(" ")[2]) for line in lines if f'"{stream}"' in line)
    start = TRADES_START if segment == SPOT else WINDOW_START
    ours = sent(engine, segment, stream, start, start + MINUTE)[0]

    assert json.dumps(types(ours)) == json.dumps(types(real["data"]))
