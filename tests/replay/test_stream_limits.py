from __future__ import annotations

import asyncio
import socket
import time
from collections import defaultdict
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import WSMsgType, WSServerHandshakeError

from extract.replay.busy.tape import BUSY_START, Busy
from extract.replay.engine import Rules
from extract.replay.exchange import ReplayExchange
from extract.replay.exchange_clock import Live
from extract.replay.streams.rules import StreamRules
from tests.replay.listening import Heard, Socket, Watch, ask, exact, hear_out, talk

LISTING = {"method": "LIST_SUBSCRIPTIONS", "id": 1}


def limited(watch: Watch, **limits: Any) -> ReplayExchange:
    return ReplayExchange(Rules(seconds=watch, streams=StreamRules(**limits)))


def test_a_connection_takes_so_many_streams_and_no_more(watch: Watch) -> None:
    async def conversation(socket: Socket) -> list[Any]:
        return [
            await ask(socket, method="SUBSCRIBE", params=["a@trade", "b@trade"], id=1),
            await ask(socket, method="SUBSCRIBE", params=["a@trade"], id=2),
            await ask(socket, method="SUBSCRIBE", params=["c@trade"], id=3),
            await ask(socket, **LISTING),
        ]

    with limited(watch, most_streams=2) as exchange:
        answers = talk(f"{exchange.urls.spot}/ws", conversation)
        with pytest.raises(WSServerHandshakeError, match="400"):
            talk(f"{exchange.urls.spot}/stream?streams=a@trade/b@trade/c@trade", hear_out)

    assert answers[1] == {"result": None, "id": 2}
    assert (answers[2]["code"], answers[2]["id"]) == (2, 3)
    assert answers[3]["result"] == ["a@trade", "b@trade"]


def test_default_limits_are_the_exchanges() -> None:
    rules = StreamRules()

    assert (rules.most_streams, rules.messages_per_second, rules.connections) == (1024, 5, 300)
    assert (rules.ping_seconds, rules.pong_seconds, rules.life_seconds) == (20, 60, 86_400)


def test_sixth_message_in_a_second_ends_the_connection(watch: Watch) -> None:
    async def conversation(socket: Socket) -> Heard:
        for _ in range(6):
            await socket.send_json(LISTING)
        return await hear_out(socket)

    with limited(watch) as exchange:
        heard = talk(f"{exchange.urls.spot}/ws", conversation)

    assert (len(heard.messages), heard.close_code) == (5, 1008)


def test_pings_and_pongs_count_as_messages(watch: Watch) -> None:
    async def conversation(socket: Socket) -> Heard:
        for _ in range(3):
            await socket.ping()
            await socket.pong()
        return await hear_out(socket)

    with limited(watch) as exchange:
        heard = talk(f"{exchange.urls.spot}/ws", conversation)

    assert heard.close_code == 1008


def test_five_messages_a_second_are_fine_for_ever(watch: Watch) -> None:
    async def conversation(socket: Socket) -> int:
        answers = 0
        for _ in range(4):
            for _ in range(5):
                answers += await ask(socket, **LISTING) == {"result": [], "id": 1}
            watch.seconds += 1
        return answers

    with limited(watch) as exchange:
        assert talk(f"{exchange.urls.spot}/ws", conversation) == 20


def test_ping_comes_every_twenty_seconds_and_a_pong_keeps_the_connection(watch: Watch) -> None:
    async def conversation(socket: Socket) -> Any:
        await ask(socket, **LISTING)
        for _ in range(5):
            watch.seconds += 20
            ping = await socket.receive()
            assert ping.type is WSMsgType.PING
            await socket.pong(ping.data)
            await ask(socket, **LISTING)
        return ping.data

    with limited(watch) as exchange:
        payload = talk(f"{exchange.urls.spot}/ws", conversation, autoping=False)

    assert payload == b"1756771200000"


@pytest.mark.parametrize("pong", [None, b"", b"unasked"])
def test_unanswered_ping_ends_the_connection(watch: Watch, pong: bytes | None) -> None:
    async def conversation(socket: Socket) -> Any:
        await ask(socket, **LISTING)
        watch.seconds += 20
        assert (await socket.receive()).type is WSMsgType.PING
        if pong is not None:
            await socket.pong(pong)
            await ask(socket, **LISTING)
        # further pings do not put the end off
        for _ in range(4):
            watch.seconds += 20
            await asyncio.sleep(0.05)
        while (message := await socket.receive()).type is WSMsgType.PING:
            pass
        return message.type, socket.close_code

    with limited(watch) as exchange:
        end = talk(f"{exchange.urls.spot}/ws", conversation, autoping=False, autoclose=False)

    assert end == (WSMsgType.CLOSE, 1008)


@pytest.mark.parametrize("path", ["ws", "stream"])
def test_connection_ends_after_its_life_and_says_so_before(watch: Watch, path: str) -> None:
    async def conversation(socket: Socket) -> tuple[Any, Heard]:
        await ask(socket, **LISTING)
        watch.seconds += 86_400 - 599
        notice = exact(await socket.receive())
        watch.seconds += 600
        return notice, await hear_out(socket)

    with limited(watch, ping_seconds=10**6) as exchange:
        notice, heard = talk(f"{exchange.urls.spot}/{path}", conversation)

    event = {"e": "serverShutdown", "E": 1_756_771_200_000}
    assert notice == (event if path == "ws" else {"stream": "!serverShutdown", "data": event})
    assert (heard.messages, heard.close_code) == ([], 1001)


def test_too_many_connections_in_five_minutes_are_turned_away(watch: Watch) -> None:
    async def conversation(socket: Socket) -> Any:
        return await ask(socket, **LISTING)

    with limited(watch, connections=2) as exchange:
        url = f"{exchange.urls.spot}/ws"
        for _ in range(2):
            talk(url, conversation)
        with pytest.raises(WSServerHandshakeError, match="429"):
            talk(url, conversation)
        other_host = talk(f"{exchange.urls.usdm}/ws", conversation)
        watch.seconds += 300
        later = talk(url, conversation)

        statuses = [one.status for one in exchange.requests.last()]

    assert other_host == later == {"result": [], "id": 1}
    assert statuses == [101, 101, 429, 101, 101]


def test_deribit_holds_so_many_connections_at_once(watch: Watch) -> None:
    async def conversation(socket: Socket) -> Any:
        return await ask(socket, jsonrpc="2.0", id=1, method="public/test", params={})

    with (
        limited(watch, deribit_connections=0) as exchange,
        pytest.raises(WSServerHandshakeError, match="429"),
    ):
        talk(f"{exchange.urls.deribit}/ws/api/v2", conversation)


def test_client_that_does_not_read_is_cut_off() -> None:
    busy = Busy(instruments=1, trades_per_second=100_000)
    rules = Rules(live=Live(BUSY_START), busy=busy, streams=StreamRules(buffer_bytes=500_000))
    with ReplayExchange(rules) as exchange:
        client = opened(f"{exchange.urls.spot}/ws/busy000usdt@trade")
        time.sleep(1.5)
        is_cut, until = False, time.monotonic() + 5
        while not is_cut and time.monotonic() < until:
            try:
                is_cut = not client.recv(1 << 20)
            except ConnectionResetError:
                is_cut = True
        client.close()

    assert is_cut


def test_busy_exchange_keeps_up_with_a_client_that_reads() -> None:
    busy = Busy(instruments=20, trades_per_second=25_000)
    ids: dict[str, list[int]] = defaultdict(list)

    async def conversation(socket: Socket) -> None:
        for _ in range(20_000):
            message = exact(await socket.receive())
            ids[message["stream"]].append(message["data"]["t"])

    with ReplayExchange(Rules(live=Live(BUSY_START), busy=busy)) as exchange:
        streams = "/".join(f"{name.lower()}@trade" for name in busy.symbols)
        talk(f"{exchange.urls.spot}/stream?streams={streams}", conversation)

    assert len(ids) == 20
    for numbers in ids.values():
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_stall_of_the_exchange_cuts_nobody_off(watch: Watch) -> None:
    busy = Busy(instruments=1, trades_per_second=100_000)
    rules = Rules(
        live=Live(BUSY_START), busy=busy, seconds=watch, streams=StreamRules(buffer_bytes=4_000_000)
    )
    with ReplayExchange(rules) as exchange:
        client = opened(f"{exchange.urls.spot}/ws/busy000usdt@trade")
        assert client.recv(4096).startswith(b"HTTP/1.1 101")
        time.sleep(0.3)
        watch.seconds += 1
        came = 0
        while came < 99_000 and (piece := client.recv(1 << 20)):
            came += piece.count(b'"e":"trade"')
        client.close()

    assert came >= 99_000


def test_answer_may_be_longer_than_a_short_frame(watch: Watch) -> None:
    names = [f"{'a' * 80}{number}@trade" for number in range(1000)]

    async def conversation(socket: Socket) -> Any:
        await ask(socket, method="SUBSCRIBE", params=names, id=1)
        return await ask(socket, method="LIST_SUBSCRIPTIONS", id=2)

    with limited(watch) as exchange:
        assert talk(f"{exchange.urls.spot}/ws", conversation)["result"] == names


def opened(url: str) -> socket.socket:
    """Return a websocket as a bare socket, of which nothing is read."""
    parts = urlsplit(url)
    client = socket.create_connection((parts.hostname, parts.port), timeout=10)
    head = f"GET {parts.path} HTTP/1.1\r\nHost: here\r\n"
    head += "Upgrade: websocket\r\nConnection: Upgrade\r\n"
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    client.sendall((head + key).encode())
    return client
