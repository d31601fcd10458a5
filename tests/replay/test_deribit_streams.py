from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from extract.replay.deribit import Deribit
from extract.replay.engine import Rules
from extract.replay.exchange import ReplayExchange
from extract.replay.futures_tape import SEED, WINDOW_END, WINDOW_START
from extract.replay.limits import CreditRules
from extract.replay.streams.deribit_sources import deribit_source
from extract.replay.streams.rules import StreamRules
from tests.replay.asking import Asking
from tests.replay.listening import (
    GENERATED,
    Heard,
    Socket,
    Watch,
    ask,
    exact,
    hear_out,
    live,
    release,
    talk,
)

T = TypeVar("T")
HOUR = 3_600_000

PERPETUAL = "trades.BTC-PERPETUAL.100ms"


async def subscribed(socket: Socket, *channels: str) -> Any:
    params = {"channels": list(channels)}
    return await ask(socket, jsonrpc="2.0", id=7, method="public/subscribe", params=params)


def heard_on(speed: int, count: int, *channels: str) -> tuple[Any, list[Any], Asking]:
    """Return the answer to a subscription and the first messages after it."""

    async def conversation(socket: Socket) -> tuple[Any, list[Any]]:
        answer = await subscribed(socket, *channels)
        release(exchange)
        return answer, [exact(await socket.receive()) for _ in range(count)]

    with live(GENERATED, speed=speed) as exchange:
        answer, messages = talk(f"{exchange.urls.deribit}/ws/api/v2", conversation)
        return answer, messages, Asking(exchange.urls)


def test_trades_come_as_lists_in_slots_and_are_those_of_rest() -> None:
    async def conversation(socket: Socket) -> list[Any]:
        await subscribed(socket, PERPETUAL)
        release(exchange)
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


def test_calls_without_credits_end_the_connection(watch: Watch) -> None:
    rules = StreamRules(subscribe_credits=CreditRules(cost=3_000, pool=6_000))

    async def conversation(socket: Socket) -> tuple[list[Any], Heard]:
        answers = [await subscribed(socket, PERPETUAL) for _ in range(3)]
        return answers, await hear_out(socket)

    with ReplayExchange(Rules(seconds=watch, streams=rules)) as exchange:
        answers, heard = talk(f"{exchange.urls.deribit}/ws/api/v2", conversation)

    assert [answer.get("result") for answer in answers] == [[PERPETUAL], [PERPETUAL], None]
    assert answers[2]["error"] == {"code": 10028, "message": "too_many_requests"}
    assert heard.messages == []


def beating(watch: Watch, conversation: Callable[[Socket], Awaitable[T]]) -> T:
    with ReplayExchange(Rules(seconds=watch)) as exchange:
        return talk(f"{exchange.urls.deribit}/ws/api/v2", conversation)


async def call(socket: Socket, method: str, **params: Any) -> Any:
    return await ask(socket, jsonrpc="2.0", id=1, method=method, params=params)


def test_test_request_wants_an_answer_each_time(watch: Watch) -> None:
    async def conversation(socket: Socket) -> list[str]:
        assert (await call(socket, "public/set_heartbeat", interval=10))["result"] == "ok"
        kinds = []
        for _ in range(6):
            watch.seconds += 10
            beat = exact(await socket.receive())
            assert beat["method"] == "heartbeat"
            kinds.append(beat["params"]["type"])
            if kinds[-1] == "test_request":
                await call(socket, "public/test")
        return kinds

    assert beating(watch, conversation) == ["heartbeat", "test_request"] * 3


def test_unanswered_test_request_ends_the_connection(watch: Watch) -> None:
    async def conversation(socket: Socket) -> Heard:
        await call(socket, "public/set_heartbeat", interval=10)
        heard = Heard()
        for _ in range(2):
            watch.seconds += 10
            heard.messages.append(exact(await socket.receive())["params"]["type"])
        watch.seconds += 10
        heard.close_code = (await hear_out(socket)).close_code
        return heard

    heard = beating(watch, conversation)
    assert (heard.messages, heard.close_code) == (["heartbeat", "test_request"], 1006)


def test_heartbeat_has_a_smallest_interval_and_an_end(watch: Watch) -> None:
    async def conversation(socket: Socket) -> list[Any]:
        refused = await call(socket, "public/set_heartbeat", interval=9)
        await call(socket, "public/set_heartbeat", interval=10)
        ended = await call(socket, "public/disable_heartbeat")
        watch.seconds += 60
        return [refused, ended, await call(socket, "public/get_time")]

    refused, ended, time = beating(watch, conversation)
    assert refused["error"]["code"] == -32602
    assert ended["result"] == "ok"
    assert time["result"] == 1_723_162_500_000


@pytest.fixture(scope="module")
def venue() -> Deribit:
    return Deribit(SEED)


def sent(venue: Deribit, channel: str, after: int, until: int) -> list[Any]:
    source = deribit_source(venue, channel)
    assert source is not None
    messages = [json.loads(one, parse_float=str) for one in source.payloads(after, until)]
    assert {one["params"]["channel"] for one in messages} <= {channel}
    return [one["params"]["data"] for one in messages]


@pytest.mark.parametrize("resolution", ["1", "5"])
@pytest.mark.parametrize("name", ["BTC-PERPETUAL", "BTC-9AUG24-60000-C", "BTC-FS-27SEP24_PERP"])
def test_last_update_of_a_bar_is_the_bar_over_rest(
    ask_shared: Asking, venue: Deribit, name: str, resolution: str
) -> None:
    bars = sent(venue, f"chart.trades.{name}.{resolution}", WINDOW_START, WINDOW_END)
    last = {bar["tick"]: bar for bar in bars}
    window = {"start_timestamp": WINDOW_START - HOUR, "end_timestamp": WINDOW_END - 1}
    chart = ask_shared.deribit(
        "get_tradingview_chart_data", instrument_name=name, resolution=resolution, **window
    )["result"]
    del chart["status"]
    rows = zip(*chart.values(), strict=True)
    names = ["tick" if column == "ticks" else column for column in chart]

    assert list(last.values()) == [dict(zip(names, row, strict=True)) for row in rows]
    assert len(bars) > len(last) or resolution == "1"


@pytest.fixture
def ask_shared(exchange: ReplayExchange) -> Asking:
    return Asking(exchange.urls)


def test_index_price_comes_each_second(venue: Deribit, ask_shared: Asking) -> None:
    now = 1_723_162_500_000
    data = sent(venue, "deribit_price_index.btc_usd", now - 3000, now)
    rest = ask_shared.deribit("get_index_price", index_name="btc_usd")["result"]

    assert [one["timestamp"] for one in data] == [now - 2000, now - 1000, now]
    assert data[-1] == {"timestamp": now, "price": rest["index_price"], "index_name": "btc_usd"}


def test_expiry_is_told_on_the_state_channel(venue: Deribit) -> None:
    expiry = 1_723_190_400_000
    data = sent(venue, "instrument.state.option.BTC", expiry - 1, expiry + 5000)

    names = ["BTC-9AUG24-55000-P", "BTC-9AUG24-60000-C", "BTC-9AUG24-62000-C"]
    assert [one["instrument_name"] for one in data] == names * 2
    assert [one["state"] for one in data] == ["delivered"] * 3 + ["archivized"] * 3
    assert sent(venue, "instrument.state.spot.any", expiry - 1, expiry + 5000) == []


@pytest.mark.parametrize(
    "channel",
    [
        "trades.BTC-PERPETUAL.1s",
        "trades.future.DOGE.100ms",
        "chart.trades.BTC-PERPETUAL.2",
        "chart.trades.NONE.1",
        "deribit_price_index.doge_usd",
        "instrument.state.any_kind.BTC",
        "trades",
        "",
    ],
)
def test_no_such_channel(venue: Deribit, channel: str) -> None:
    assert deribit_source(venue, channel) is None


@pytest.mark.parametrize(
    ("body", "channel", "optional"),
    [
        ("ws_trades", "trades.BTC-PERPETUAL.100ms", {"combo_trade_id", "combo_id"}),
        ("ws_trades_option_combo", "trades.BTC-CS-9AUG24-60000_62000.100ms", set()),
        ("ws_chart", "chart.trades.BTC-PERPETUAL.1", set()),
    ],
)
def test_message_has_the_recorded_fields(
    venue: Deribit, reference: Path, body: str, channel: str, optional: set[str]
) -> None:
    real = json.loads((reference / "deribit_bodies" / f"{body}.json").read_text(), parse_float=str)
    source = deribit_source(venue, channel)
    assert source is not None
    ours = json.loads(source.payloads(WINDOW_START, WINDOW_END)[0], parse_float=str)

    assert list(ours) == list(real)
    there, here = real["params"]["data"], ours["params"]["data"]
    if isinstance(there, list):
        there, here = there[0], here[0]
    assert {name: type(value) for name, value in here.items()} == {
        name: type(value) for name, value in there.items() if name not in optional
    }
