"""Live candles, by server-sent events and by websocket: what is told, when, and to whom no more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from serve.api.watching import Event, Follower, Topic
from serve.records import Publication
from tests.serve_api.conftest import Running, Start
from tests.serve_api.listed import ListedRepository
from tests.serve_api.market import BEGIN, DAY, MINUTE, MINUTES, SPOT, minute_bar

BTCUSDT = {"exchange": "binance", "kind": "spot", "instrument": "BTCUSDT", "interval": "1m"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for publications often: a test need not wait a second for each."""
    monkeypatch.setattr("serve.api.watching.POLL_SECONDS", 0.02)
    monkeypatch.setattr("serve.api.serving.FRESH_SECONDS", 0.01)


class Events:
    """The events of a stream, one by one."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines: Iterator[str] = answer.iter_lines()

    def next(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for line in self._lines:
            if not line and found:
                return found
            name, _, value = line.partition(": ")
            if line:
                found[name or "comment"] = json.loads(value) if name == "data" else value
        raise EOFError


def publish(repository: ListedRepository, *minutes: int, number: int, revision: int = 1) -> None:
    """Publish bars: new ones, or newer values of those that are there."""
    bars = {bar.bar_start: bar for bar in repository.bars_held[SPOT, "1m"]}
    for minute in minutes:
        bar = minute_bar(minute, revision=revision)
        bars[bar.bar_start] = bar
    repository.bars_held[SPOT, "1m"] = [bars[start] for start in sorted(bars)]
    repository.newest = Publication(number, BEGIN + 3 * DAY + number)


def test_events_tell_the_newest_bar_then_new_and_revised_ones(
    api: Running, repository: ListedRepository
) -> None:
    with api.client.stream("GET", "/api/v1/live/sse", params=BTCUSDT) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = Events(answer)

        assert events.next()["data"]["publication"] == 1
        first = events.next()
        publish(repository, MINUTES, number=2)
        new, told = events.next(), events.next()
        publish(repository, MINUTES - 1, number=3, revision=2)
        revised = events.next()

    newest = api.json("/api/v1/ohlcv", **BTCUSDT, order="desc", limit=2)["bars"]
    assert first["event"] == "bar"
    assert first["data"]["time"] == BEGIN + (MINUTES - 1) * MINUTE
    assert first["id"] == str(first["data"]["time"])
    assert new["data"] == newest[0]
    assert (told["event"], told["data"]["publication"]) == ("publication", 2)
    assert revised["data"] == newest[1]


def test_a_client_that_was_cut_off_gets_what_it_missed(api: Running) -> None:
    since = {"last-event-id": str(BEGIN + (MINUTES - 3) * MINUTE)}

    with api.client.stream("GET", "/api/v1/live/sse", params=BTCUSDT, headers=since) as answer:
        events = Events(answer)
        events.next()
        times = [events.next()["data"]["time"] for _ in range(3)]

    assert times == [BEGIN + minute * MINUTE for minute in range(MINUTES - 3, MINUTES)]


def test_a_quiet_stream_beats(api: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve.api.live.HEARTBEAT_SECONDS", 0.05)

    with api.client.stream("GET", "/api/v1/live/sse", params=BTCUSDT) as answer:
        events = Events(answer)
        events.next(), events.next()
        assert events.next() == {"comment": "heartbeat"}


@pytest.mark.parametrize(
    ("changed", "status"),
    [({"instrument": "NONE"}, 404), ({"interval": "2m"}, 422), ({"kind": ""}, 422)],
)
def test_what_can_not_be_followed_is_refused_at_once(
    api: Running, changed: dict[str, str], status: int
) -> None:
    answer = api.get("/api/v1/live/sse", **{**BTCUSDT, **changed})

    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "message", "hint"}


def gone(api: Running) -> bool:
    """Tell whether nobody follows any more, after some time."""

    async def wait() -> bool:
        for _ in range(200):
            if not api.api.watcher._followers and not api.api.watcher._seen:
                return True
            await asyncio.sleep(0.02)
        return False

    return asyncio.run_coroutine_threadsafe(wait(), api.loop).result(10)


def test_a_client_that_has_gone_is_forgotten(api: Running) -> None:
    with api.client.stream("GET", "/api/v1/live/sse", params=BTCUSDT) as answer:
        events = Events(answer)
        events.next()
        assert not gone_now(api)

    assert gone(api)


def gone_now(api: Running) -> bool:
    return not api.api.watcher._followers


def test_one_watcher_asks_for_all(api: Running, repository: ListedRepository) -> None:
    with (
        api.client.stream("GET", "/api/v1/live/sse", params=BTCUSDT) as one,
        api.client.stream("GET", "/api/v1/live/sse", params=BTCUSDT) as other,
    ):
        mine, yours = Events(one), Events(other)
        for events in (mine, yours):
            events.next(), events.next()
        asked: list[int] = []
        bars = repository.bars

        async def counted(*words: Any) -> Any:
            asked.append(1)
            return await bars(*words)

        repository.bars = counted  # type: ignore[method-assign,assignment]
        publish(repository, MINUTES, number=2)
        assert mine.next()["data"] == yours.next()["data"]

    assert len(asked) == 1


def socket(api: Running, **headers: str) -> ClientConnection:
    return connect(
        api.url.replace("http", "ws") + "/api/v1/live/ws", additional_headers=headers or None
    )


def messages(connection: ClientConnection, kind: str) -> dict[str, Any]:
    """Return the next message of a kind."""
    while True:
        message: dict[str, Any] = json.loads(connection.recv(timeout=10))
        if message["type"] == kind:
            return message


def test_a_socket_follows_what_it_subscribes_to(api: Running, repository: ListedRepository) -> None:
    hourly = {**BTCUSDT, "interval": "1h"}
    with socket(api) as connection:
        connection.send(json.dumps({"subscribe": [BTCUSDT, hourly]}))
        first, second = messages(connection, "bar"), messages(connection, "bar")
        publish(repository, MINUTES, number=2)
        new = messages(connection, "bar")
        told = messages(connection, "publication")

    assert (first["interval"], second["interval"]) == ("1m", "1h")
    assert {name: new[name] for name in BTCUSDT} == BTCUSDT
    assert new["bar"]["time"] == BEGIN + MINUTES * MINUTE
    assert told["publication"] == 2
    assert gone(api)


@pytest.mark.parametrize(
    "message", ["", "{", "[]", '{"subscribe": []}', '{"subscribe": [{"exchange": 5}]}', "\x00"]
)
def test_a_socket_that_sends_nonsense_is_told_and_closed(api: Running, message: str) -> None:
    with socket(api) as connection:
        connection.send(message)

        assert "can't be read" in messages(connection, "error")["error"]["message"]
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(timeout=10)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1007


def test_a_socket_that_names_nothing_we_have_is_told_and_goes_on(api: Running) -> None:
    with socket(api) as connection:
        connection.send(json.dumps({"subscribe": [{**BTCUSDT, "instrument": "BTCUSD"}]}))
        assert "BTCUSDT" in messages(connection, "error")["error"]["hint"]

        connection.send(json.dumps({"subscribe": [BTCUSDT]}))
        assert messages(connection, "bar")["instrument"] == "BTCUSDT"


def test_a_page_of_another_origin_opens_no_socket(api: Running, start: Start) -> None:
    with pytest.raises(InvalidStatus) as refused, socket(api, Origin="https://evil.example"):
        pass
    opened = start(ListedRepository(), cors_origins=["https://good.example"])

    assert refused.value.response.status_code == 403
    with socket(opened, Origin="https://good.example") as connection:
        assert messages(connection, "publication")
    with socket(api, Origin=api.url) as connection:
        assert messages(connection, "publication")


def test_a_client_that_takes_nothing_is_dropped_and_told(
    api: Running, repository: ListedRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve.api.live.HEARTBEAT_SECONDS", 60)
    with socket(api) as connection:
        connection.send(json.dumps({"subscribe": [BTCUSDT]}))
        messages(connection, "bar")

        async def flood() -> None:
            (follower,) = api.api.watcher._followers
            for number in range(2000):
                follower.give(Event(None, number, b"{}"))

        asyncio.run_coroutine_threadsafe(flood(), api.loop).result(10)
        with pytest.raises(ConnectionClosed) as closed:
            messages(connection, "none of this kind")

    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason[:9]) == (1013, "more than")
    assert gone(api)


def test_what_waits_for_a_client_is_bounded() -> None:
    follower = Follower()

    for number in range(5000):
        follower.give(Event(Topic(1, "1m"), number, b"{}"))

    assert follower.is_dropped
    assert follower.waiting.qsize() == 1000


def test_the_watcher_outlives_a_database_that_goes(
    api: Running, repository: ListedRepository
) -> None:
    with api.client.stream("GET", "/api/v1/live/sse", params=BTCUSDT) as answer:
        events = Events(answer)
        events.next(), events.next()
        repository.is_gone = True
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0.2), api.loop).result(5)
        repository.is_gone = False
        publish(repository, MINUTES, number=2)

        assert events.next()["data"]["time"] == BEGIN + MINUTES * MINUTE
