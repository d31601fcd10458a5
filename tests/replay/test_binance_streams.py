from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from extract.replay.engine import Rules
from extract.replay.exchange import ReplayExchange
from extract.replay.exchange_clock import Live
from tests.replay.asking import Asking
from tests.replay.listening import (
    GENERATED,
    RECORDED,
    Heard,
    Socket,
    Watch,
    ask,
    exact,
    hear_out,
    listen,
    live,
    release,
    talk,
)

FIRST_BTC_ID = 4_744_868_157
TRADE_FIELDS = {"t": "id", "p": "price", "q": "qty", "T": "time", "m": "isBuyerMaker"}
AGGREGATE_FIELDS = ("a", "p", "q", "f", "l", "T", "m")


def picked(message: dict[str, Any], fields: dict[str, str]) -> dict[str, Any]:
    return {there: message[here] for here, there in fields.items()}


def test_spot_trades_are_those_of_rest_from_the_first_on() -> None:
    with live(RECORDED) as exchange:
        heard = listen(exchange, f"{exchange.urls.spot}/ws/btcusdt@trade", 50)
        rows = Asking(exchange.urls).spot(
            "historicalTrades", symbol="BTCUSDT", fromId=FIRST_BTC_ID, limit=50
        )

    assert [picked(one, TRADE_FIELDS) for one in heard] == [
        {name: row[name] for name in TRADE_FIELDS.values()} for row in rows
    ]
    assert list(heard[0]) == ["e", "E", "s", "t", "p", "q", "T", "m", "M"]
    assert {(one["e"], one["s"], one["M"]) for one in heard} == {("trade", "BTCUSDT", True)}
    assert all(one["E"] >= one["T"] for one in heard)


def test_spot_aggregates_are_those_of_rest() -> None:
    with live("2025-08-31T23:59:59Z", speed=10) as exchange:
        heard = listen(exchange, f"{exchange.urls.spot}/ws/ethusdt@aggTrade", 30)
        first = heard[0]["a"]
        rows = Asking(exchange.urls).spot("aggTrades", symbol="ETHUSDT", fromId=first, limit=30)

    assert first == 1_692_296_325
    fields = (*AGGREGATE_FIELDS, "M")
    assert [{name: one[name] for name in fields} for one in heard] == rows


@pytest.mark.parametrize(("segment", "symbol"), [("usdm", "BTCUSDT"), ("coinm", "BTCUSD_PERP")])
def test_futures_streams_are_those_of_rest(segment: str, symbol: str) -> None:
    with live(GENERATED, speed=60) as exchange:
        root, venue = getattr(exchange.urls, segment), getattr(Asking(exchange.urls), segment)
        trades = listen(exchange, f"{root}/ws/{symbol.lower()}@trade", 30)
        aggregates = listen(exchange, f"{root}/ws/{symbol.lower()}@aggTrade", 30)
        key = {"X-MBX-APIKEY": "any"}
        rows = venue("historicalTrades", key, symbol=symbol, fromId=trades[0]["t"], limit=30)
        agg_rows = venue("aggTrades", symbol=symbol, fromId=aggregates[0]["a"], limit=30)

    assert [picked(one, TRADE_FIELDS) for one in trades] == [
        {name: row[name] for name in TRADE_FIELDS.values()} for row in rows
    ]
    assert {one["X"] for one in trades} == {"MARKET"}
    assert [{name: one[name] for name in AGGREGATE_FIELDS} for one in aggregates] == agg_rows


def test_combined_stream_names_the_stream_of_each_message() -> None:
    with live(RECORDED) as exchange:
        url = f"{exchange.urls.spot}/stream?streams=btcusdt@trade/ethusdt@trade/solusdt@trade"
        heard = listen(exchange, url, 2500)

    assert {one["stream"] for one in heard} == {"btcusdt@trade", "ethusdt@trade", "solusdt@trade"}
    assert all(one["data"]["s"].lower() + "@trade" == one["stream"] for one in heard)
    for name in ("BTCUSDT", "ETHUSDT"):
        ids = [one["data"]["t"] for one in heard if one["data"]["s"] == name]
        assert ids == list(range(ids[0], ids[0] + len(ids)))


def test_commands_are_answered_as_the_exchange_does() -> None:
    async def conversation(socket: Socket) -> list[Any]:
        return [
            await ask(socket, method="SUBSCRIBE", params=["btcusdt@trade", "none@trade"], id=1),
            await ask(socket, method="LIST_SUBSCRIPTIONS", id=2),
            await ask(socket, method="UNSUBSCRIBE", params=["none@trade"], id="three"),
            await ask(socket, method="LIST_SUBSCRIPTIONS", id=4),
        ]

    with ReplayExchange() as exchange:
        answers = talk(f"{exchange.urls.spot}/ws", conversation)

    assert answers == [
        {"result": None, "id": 1},
        {"result": ["btcusdt@trade", "none@trade"], "id": 2},
        {"result": None, "id": "three"},
        {"result": ["btcusdt@trade"], "id": 4},
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{", {"code": 3}),
        ('{"id": 1}', {"code": 2}),
        ('{"method": "SUBSCRIBE", "params": ["a@trade"]}', {"code": 2}),
        ('{"method": "SUBSCRIBE", "params": "a@trade", "id": 5}', {"code": 2, "id": 5}),
        ('{"method": "LISTEN", "id": 1}', {"code": 2, "id": 1}),
        ('{"method": "SET_PROPERTY", "params": ["other", true], "id": 1}', {"code": 0, "id": 1}),
        ('{"method": "SET_PROPERTY", "params": ["combined", 1], "id": 1}', {"code": 1, "id": 1}),
    ],
)
def test_bad_command_gets_the_error_object(text: str, error: dict[str, int]) -> None:
    async def conversation(socket: Socket) -> Any:
        await socket.send_str(text)
        return exact(await socket.receive())

    with ReplayExchange() as exchange:
        answer = talk(f"{exchange.urls.spot}/ws", conversation)

    assert answer.pop("msg")
    assert answer == error


def test_subscribing_and_leaving_while_connected() -> None:
    async def conversation(socket: Socket) -> tuple[Any, Any]:
        await ask(socket, method="SUBSCRIBE", params=["btcusdt@trade"], id=1)
        release(exchange)
        first = exact(await socket.receive())
        await ask(socket, method="SET_PROPERTY", params=["combined", True], id=2)
        await ask(socket, method="UNSUBSCRIBE", params=["btcusdt@trade"], id=3)
        await ask(socket, method="SUBSCRIBE", params=["ethusdt@trade"], id=4)
        return first, exact(await socket.receive())

    with live(RECORDED) as exchange:
        first, second = talk(f"{exchange.urls.spot}/ws", conversation)

    assert first["s"] == "BTCUSDT"
    assert (second["stream"], second["data"]["s"]) == ("ethusdt@trade", "ETHUSDT")


def test_upper_case_name_never_speaks() -> None:
    with live(RECORDED) as exchange:
        heard = listen(
            exchange, f"{exchange.urls.spot}/stream?streams=BTCUSDT@trade/ethusdt@trade", 20
        )

    assert {one["stream"] for one in heard} == {"ethusdt@trade"}


def test_two_clients_hear_the_same_bytes() -> None:
    async def conversation(socket: Socket) -> list[str]:
        await ask(socket, method="LIST_SUBSCRIPTIONS", id=0)
        release(exchange)
        return [(await socket.receive()).data for _ in range(20)]

    url = "/stream?streams=btcusdt@trade"
    heard = []
    for _ in range(2):
        with live(RECORDED) as exchange:
            heard.append(talk(exchange.urls.spot + url, conversation))

    assert heard[0] == heard[1]


def test_who_comes_back_is_sent_nothing_of_the_time_away() -> None:
    async def conversation(futures: Socket) -> list[Any]:
        await ask(futures, method="LIST_SUBSCRIPTIONS", id=0)
        release(exchange)
        url = f"{exchange.urls.spot}/ws/btcusdt@trade"
        firsts = []
        for _ in range(2):
            async with ClientSession() as session, session.ws_connect(url) as spot:
                firsts.append(exact(await spot.receive()))
            await asyncio.sleep(0.5)
        return firsts

    with live(RECORDED) as exchange:
        first, second = talk(f"{exchange.urls.usdm}/ws", conversation)

    assert second["T"] - first["T"] > 5_000


def test_missing_recording_ends_the_connections_and_is_told(
    tmp_path: Path, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    rules = Rules(directory=tmp_path, live=Live(datetime.fromisoformat(RECORDED)), seconds=watch)

    async def conversation(socket: Socket) -> Heard:
        await ask(socket, method="LIST_SUBSCRIPTIONS", id=0)
        watch.seconds += 1
        return await hear_out(socket)

    with ReplayExchange(rules) as exchange:
        heard = talk(f"{exchange.urls.spot}/ws/btcusdt@trade", conversation)

    assert (heard.messages, heard.close_code) == ([], 1006)
    assert "streams have stopped" in caplog.text
