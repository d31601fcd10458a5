from __future__ import annotations

from typing import Any

from tests.replay.asking import Asking
from tests.replay.listening import GENERATED, Socket, ask, exact, live, talk

PERPETUAL = "trades.BTC-PERPETUAL.100ms"


async def subscribed(socket: Socket, *channels: str) -> Any:
    params = {"channels": list(channels)}
    return await ask(socket, jsonrpc="2.0", id=7, method="public/subscribe", params=params)


def heard_on(speed: int, count: int, *channels: str) -> tuple[Any, list[Any], Asking]:
    """Return the answer to a subscription and the first messages after it."""

    async def conversation(socket: Socket) -> tuple[Any, list[Any]]:
        answer = await subscribed(socket, *channels)
        return answer, [exact(await socket.receive()) for _ in range(count)]

    with live(GENERATED, speed=speed) as exchange:
        answer, messages = talk(f"{exchange.urls.deribit}/ws/api/v2", conversation)
        return answer, messages, Asking(exchange.urls)


def test_trades_come_as_lists_in_slots_and_are_those_of_rest() -> None:
    async def conversation(socket: Socket) -> list[Any]:
        await subscribed(socket, PERPETUAL)
        return [exact(await socket.receive()) for _ in range(20)]

    with live(GENERATED, speed=30) as exchange:
        messages = talk(f"{exchange.urls.deribit}/ws/api/v2", conversation)
        trades = [trade for one in messages for trade in one["params"]["data"]]
        rows = Asking(exchange.urls).deribit(
            "get_last_trades_by_instrument",
            instrument_name="BTC-PERPETUAL",
            start_seq=trades[0]["trade_seq"],
            count=len(trades),
            sorting="asc",
        )

    assert trades == rows["result"]["trades"]
    assert trades[0]["trade_seq"] == 1_000_001
    assert set(messages[0]) == {"jsonrpc", "method", "params"}
    assert {one["params"]["channel"] for one in messages} == {PERPETUAL}
    for one in messages:
        assert len({trade["timestamp"] // 100 for trade in one["params"]["data"]}) == 1


def test_aggregated_channel_gathers_more_into_a_message() -> None:
    _, messages, _ = heard_on(60, 10, "trades.BTC-PERPETUAL.agg2")

    slots = [{t["timestamp"] // 2000 for t in one["params"]["data"]} for one in messages]
    assert all(len(slot) == 1 for slot in slots)
    assert len({min(slot) for slot in slots}) == len(slots)


def test_channel_of_a_kind_and_currency_carries_all_its_instruments() -> None:
    _, messages, _ = heard_on(60, 60, "trades.future.BTC.100ms")

    names = {trade["instrument_name"] for one in messages for trade in one["params"]["data"]}
    assert names == {"BTC-PERPETUAL", "BTC-9AUG24", "BTC-27SEP24"}


def test_answer_lists_the_channels_granted() -> None:
    async def conversation(socket: Socket) -> list[Any]:
        return [
            await subscribed(socket, PERPETUAL, "trades.NONE-1.100ms", "trades.option.ETH.agg2"),
            await ask(
                socket,
                jsonrpc="2.0",
                id=8,
                method="public/unsubscribe",
                params={"channels": [PERPETUAL]},
            ),
        ]

    with live(GENERATED) as exchange:
        answers = talk(f"{exchange.urls.deribit}/ws/api/v2", conversation)

    assert answers[0]["result"] == [PERPETUAL, "trades.option.ETH.agg2"]
    assert (answers[0]["id"], answers[0]["testnet"]) == (7, False)
    assert answers[1]["result"] == [PERPETUAL]


def test_raw_channel_wants_authorisation() -> None:
    async def conversation(socket: Socket) -> Any:
        return await subscribed(socket, "trades.BTC-PERPETUAL.raw")

    with live(GENERATED) as exchange:
        answer = talk(f"{exchange.urls.deribit}/ws/api/v2", conversation)

    assert answer["error"]["code"] == 13778
    assert "result" not in answer


def test_methods_of_rest_answer_on_the_socket() -> None:
    async def conversation(socket: Socket) -> list[Any]:
        asked = {"instrument_name": "BTC-PERPETUAL"}
        return [
            await ask(socket, jsonrpc="2.0", id=1, method="public/test", params={}),
            await ask(socket, jsonrpc="2.0", id=2, method="public/get_time"),
            await ask(socket, jsonrpc="2.0", id=3, method="public/get_instrument", params=asked),
            await ask(socket, jsonrpc="2.0", id=4, method="public/nothing", params={}),
        ]

    with live(GENERATED) as exchange:
        test, time, instrument, nothing = talk(f"{exchange.urls.deribit}/ws/api/v2", conversation)

    assert (test["id"], test["result"]["version"]) == (1, "1.2.26")
    assert time["result"] > 1_723_161_000_000
    assert instrument["result"]["instrument_name"] == "BTC-PERPETUAL"
    assert (nothing["id"], nothing["error"]["code"]) == (4, -32601)
