from __future__ import annotations

import asyncio
from typing import Any

import pytest
import requests
from aiohttp import WSMsgType, WSServerHandshakeError

from extract.replay.engine import Rules
from extract.replay.exchange import ReplayExchange
from extract.replay.faults import Fault
from lake.errors import UsageError
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

TRADES = "/ws/btcusdt@trade"


def heard_until_the_end(exchange: ReplayExchange) -> Heard:
    async def conversation(socket: Socket) -> Heard:
        await ask(socket, method="LIST_SUBSCRIPTIONS", id=0)
        release(exchange)
        return await hear_out(socket)

    return talk(f"{exchange.urls.spot}{TRADES}", conversation)


def test_disconnect_comes_after_the_messages_asked_for() -> None:
    with live(RECORDED) as exchange:
        exchange.order(Fault("disconnect", path="btcusdt@trade", after=5))
        heard = heard_until_the_end(exchange)

        assert len(heard.messages) == 5
        assert heard.close_code == 1006
        assert exchange.faults_left() == []


def test_dropped_messages_are_a_gap_on_a_connection_that_stays() -> None:
    with live(RECORDED) as exchange:
        exchange.order(Fault("dropped_message", path="btcusdt@trade", after=4, times=3))
        ids = [one["t"] for one in listen(exchange, f"{exchange.urls.spot}{TRADES}", 10)]

    first = ids[0]
    assert [one - first for one in ids] == [0, 1, 2, 3, 7, 8, 9, 10, 11, 12]


@pytest.mark.parametrize("seed", [1, 2])
def test_random_disconnect_follows_its_seed(seed: int) -> None:
    counts = []
    for _ in range(2):
        with live(RECORDED) as exchange:
            exchange.order(Fault("random_disconnect", one_in=20, seed=seed))
            counts.append(len(heard_until_the_end(exchange).messages))

    assert counts[0] == counts[1] == {1: 24, 2: 14}[seed]


def test_half_message_then_the_end() -> None:
    with live(RECORDED) as exchange:
        exchange.order(Fault("half_message", after=2))
        heard = heard_until_the_end(exchange)

    assert len(heard.messages) == 2
    assert heard.close_code == 1006


def test_binary_junk_between_sound_messages() -> None:
    async def conversation(socket: Socket) -> list[WSMsgType]:
        release(exchange)
        return [(await socket.receive()).type for _ in range(4)]

    with live(RECORDED) as exchange:
        exchange.order(Fault("binary_junk", after=2))
        types = talk(f"{exchange.urls.spot}{TRADES}", conversation)

    assert types == [WSMsgType.TEXT, WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.TEXT]


def test_error_message_between_sound_messages() -> None:
    with live(RECORDED) as exchange:
        exchange.order(Fault("error_message", after=1))
        first, error, second = listen(exchange, f"{exchange.urls.spot}{TRADES}", 3)

    assert error["code"] == -1000
    assert second["t"] == first["t"] + 1


def test_error_message_of_deribit_is_in_its_own_form() -> None:
    async def conversation(socket: Socket) -> Any:
        params = {"channels": ["trades.BTC-PERPETUAL.100ms"]}
        await ask(socket, jsonrpc="2.0", id=1, method="public/subscribe", params=params)
        release(exchange)
        return exact(await socket.receive())

    with live(GENERATED) as exchange:
        exchange.order(Fault("error_message", segment="deribit"))
        message = talk(f"{exchange.urls.deribit}/ws/api/v2", conversation)

    assert message["error"]["code"] == 11094


def test_refused_subscription_is_answered_with_an_error() -> None:
    async def conversation(socket: Socket) -> list[Any]:
        wanted = {"method": "SUBSCRIBE", "params": ["ethusdt@trade", "btcusdt@trade"]}
        return [
            await ask(socket, **wanted, id=1),
            await ask(socket, method="LIST_SUBSCRIPTIONS", id=2),
            await ask(socket, **wanted, id=3),
        ]

    with ReplayExchange() as exchange:
        exchange.order(Fault("refused_subscription", path="btcusdt@trade"))
        refused, listed, granted = talk(f"{exchange.urls.spot}/ws", conversation)

    assert (refused["code"], refused["id"]) == (2, 1)
    assert listed["result"] == []
    assert granted == {"result": None, "id": 3}


def test_refused_subscription_of_deribit_is_an_error() -> None:
    async def conversation(socket: Socket) -> Any:
        params = {"channels": ["trades.BTC-PERPETUAL.100ms"]}
        return await ask(socket, jsonrpc="2.0", id=1, method="public/subscribe", params=params)

    with ReplayExchange() as exchange:
        exchange.order(Fault("refused_subscription", segment="deribit"))
        answer = talk(f"{exchange.urls.deribit}/ws/api/v2", conversation)

    assert answer["error"]["code"] == 13028


def test_silence_is_a_connection_that_stays_open_and_says_nothing() -> None:
    async def conversation(socket: Socket) -> list[Any]:
        release(exchange)
        heard = [exact(await socket.receive()) for _ in range(3)]
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(socket.receive(), 0.5)
            await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
        return heard

    with live(RECORDED) as exchange:
        exchange.order(Fault("silence", path="btcusdt@trade", after=3))
        heard = talk(f"{exchange.urls.spot}{TRADES}", conversation)

        assert len(heard) == 3
        assert listen(exchange, f"{exchange.urls.spot}{TRADES}", 1)


def test_old_message_comes_again() -> None:
    with live(RECORDED) as exchange:
        exchange.order(Fault("old_message", after=4))
        heard = listen(exchange, f"{exchange.urls.spot}{TRADES}", 7)

    first = heard[0]["t"]
    assert [one["t"] - first for one in heard] == [0, 1, 2, 3, 0, 4, 5]
    assert heard[4] == heard[0]


def test_duplicated_message_comes_twice() -> None:
    with live(RECORDED) as exchange:
        exchange.order(Fault("duplicated_message", after=1, times=2))
        heard = listen(exchange, f"{exchange.urls.spot}/stream?streams=btcusdt@trade", 6)

    first = heard[0]["data"]["t"]
    assert [one["data"]["t"] - first for one in heard] == [0, 1, 1, 2, 2, 3]


def test_event_time_is_an_hour_off_and_the_trades_time_is_not() -> None:
    with live(RECORDED) as exchange:
        exchange.order(Fault("event_time_skew", times=2))
        heard = listen(exchange, f"{exchange.urls.spot}{TRADES}", 3)

    assert [one["E"] - one["T"] for one in heard] == [3_600_001, 3_600_001, 1]


def test_pings_stay_away(watch: Watch) -> None:
    async def conversation(socket: Socket) -> Any:
        await ask(socket, method="LIST_SUBSCRIPTIONS", id=1)
        watch.seconds += 20
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.receive(), 0.3)
        watch.seconds += 20
        return (await socket.receive()).type

    with ReplayExchange(Rules(seconds=watch)) as exchange:
        exchange.order(Fault("no_ping"))
        kind = talk(f"{exchange.urls.spot}/ws", conversation, autoping=False)

    assert kind is WSMsgType.PING


def test_connections_are_refused_for_a_while(watch: Watch) -> None:
    async def conversation(socket: Socket) -> Any:
        return await ask(socket, method="LIST_SUBSCRIPTIONS", id=1)

    with ReplayExchange(Rules(seconds=watch)) as exchange:
        exchange.order(Fault("refused_connection", segment="binance/spot", seconds=30))
        for _ in range(2):
            with pytest.raises(WSServerHandshakeError, match="503"):
                talk(f"{exchange.urls.spot}/ws", conversation)
        assert talk(f"{exchange.urls.usdm}/ws", conversation)
        watch.seconds += 31

        assert talk(f"{exchange.urls.spot}/ws", conversation) == {"result": [], "id": 1}


def test_stream_faults_are_ordered_at_the_control_desk_too() -> None:
    with live(RECORDED) as exchange:
        orders = [{"kind": "dropped_message", "path": "btcusdt@trade", "after": 1}]
        answer = requests.post(f"{exchange.urls.root}/replay/faults", json=orders, timeout=20)
        first, second = listen(exchange, f"{exchange.urls.spot}{TRADES}", 2)

    assert answer.json()["left"][0]["kind"] == "dropped_message"
    assert second["t"] == first["t"] + 2


def test_impossible_chance_is_one_clear_error() -> None:
    with pytest.raises(UsageError, match="one in 0"):
        Fault("random_disconnect", one_in=0)


def test_stream_faults_leave_answers_and_other_streams_alone() -> None:
    with live(GENERATED) as exchange:
        exchange.order(Fault("disconnect", segment="binance/usdm", path="ethusdt@*"))
        listen(exchange, f"{exchange.urls.usdm}/ws/btcusdt@trade", 5)

        assert len(exchange.faults_left()) == 1
