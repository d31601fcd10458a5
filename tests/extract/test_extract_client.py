"""The client against a real server on loopback that misbehaves."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from extract.answer import Request
from extract.client import Client
from extract.discovery import ask_snapshot
from extract.host import Hosts
from lake.errors import (
    BannedError,
    PermanentExtractError,
    TransientExtractError,
    UnreachableError,
)
from lake.settings import Settings
from tests.extract.conftest import SleepingClock
from tests.extract.small_server import Scripted, SmallServer

GOOD = Scripted(b'[{"a":1,"p":"42.10","x":0.1}]')
HTML = Scripted(b"<html>try again</html>", headers={"Content-Type": "text/html"})
ClientOf = Callable[[Settings], Client]


def as_is(document: Any) -> Any:
    return document


def asked(client: Client, server: SmallServer, weight: int = 1) -> bytes:
    return client.ask(Request(server.url, "/x", weight=weight), as_is)[0].body


@pytest.fixture
def client(settings_of: Callable[..., Settings], client_of: ClientOf) -> Client:
    return client_of(settings_of(None, "extract.read_timeout_seconds=0.2"))


@pytest.mark.parametrize(
    "fault",
    [
        Scripted(b"oops", status=502),
        Scripted(b'{"code":-1007,"msg":"Timeout"}', status=408),
        Scripted(b'[{"a":1,"p":"42.10"', promised=500),
        Scripted(b'[{"a":1,"p":"42.10"'),
        Scripted(b"", promised=0),
        HTML,
        Scripted(GOOD.body, delay_seconds=0.5),
        Scripted(b'{"jsonrpc":"2.0","error":{"code":10028,"message":"too_many_requests"}}'),
        Scripted(b'{"code":-1000,"msg":"unknown"}'),
    ],
    ids=["5xx", "408", "cut", "half", "empty", "html", "time-out", "deribit", "binance"],
)
def test_a_passing_fault_is_asked_again(client: Client, fault: Scripted) -> None:
    with SmallServer(fault, GOOD) as server:
        assert asked(client, server) == GOOD.body
        assert len(server.paths) == 2
    assert client.requests == 2


def test_a_lost_connection_is_unreachable_after_all_attempts(
    client: Client, clock: SleepingClock
) -> None:
    with SmallServer(GOOD) as server:
        gone = server.url

    with pytest.raises(UnreachableError, match="6 attempts") as caught:
        client.ask(Request(gone, "/x"), as_is)

    assert caught.value.exit_code == 4
    assert len(clock.sleeps) == 5


def test_back_off_doubles_up_to_a_ceiling_with_full_jitter(
    settings_of: Callable[..., Settings], clock: SleepingClock, hosts: Hosts
) -> None:
    class Highest(random.Random):
        def uniform(self, a: float, b: float) -> float:
            assert a == 0
            return b

    settings = settings_of(None, "extract.attempts=9")
    client = Client(settings, clock=clock, chance=Highest(), hosts=hosts)
    with SmallServer(Scripted(status=500)) as server, pytest.raises(UnreachableError):
        asked(client, server)

    assert clock.sleeps == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_retry_after_is_obeyed_to_the_second(client: Client, clock: SleepingClock) -> None:
    refused = Scripted(b'{"code":-1003,"msg":"slow"}', 429, {"Retry-After": "7"})
    with SmallServer(refused, GOOD) as server:
        asked(client, server)

    assert clock.sleeps == [7]


def test_a_ban_stops_every_further_request_of_the_process_to_that_host(
    client: Client, settings_of: Callable[..., Settings], client_of: ClientOf
) -> None:
    banned = Scripted(b'{"code":-1003,"msg":"banned"}', 418, {"Retry-After": "120"})
    with SmallServer(banned) as server, SmallServer(GOOD) as other:
        for one in (client, client, client_of(settings_of(None))):
            with pytest.raises(BannedError, match="120 s"):
                asked(one, server)
        assert asked(client, other) == GOOD.body
        assert len(server.paths) == 1


def test_a_ban_ends_when_the_exchange_said_and_one_of_no_end_lasts_three_days(
    client: Client, clock: SleepingClock
) -> None:
    for headers, lasts in (({"Retry-After": "120"}, 120), ({}, 3 * 86_400)):
        banned = Scripted(b'{"code":-1003,"msg":"banned"}', 418, headers)
        with SmallServer(banned, GOOD) as server:
            with pytest.raises(BannedError):
                asked(client, server)
            clock.sleep(lasts - 1)
            with pytest.raises(BannedError, match="banned this address"):
                asked(client, server)
            clock.sleep(1)
            assert asked(client, server) == GOOD.body


def test_a_refusal_carries_the_exchanges_code_and_message(client: Client) -> None:
    refusal = Scripted(b'{"code":-1121,"msg":"Invalid symbol."}', status=400)
    with SmallServer(refusal) as server:
        with pytest.raises(PermanentExtractError, match=r"-1121: Invalid symbol\."):
            asked(client, server)
        assert len(server.paths) == 1


def test_an_error_object_with_status_200_is_a_refusal(client: Client) -> None:
    refusal = Scripted(b'{"jsonrpc":"2.0","error":{"code":13020,"message":"not_found"}}')
    with SmallServer(refusal) as server, pytest.raises(PermanentExtractError, match="13020"):
        asked(client, server)


@pytest.mark.parametrize("status", [403, 302])
def test_a_page_of_a_firewall_is_a_refusal_and_not_followed(client: Client, status: int) -> None:
    page = Scripted(HTML.body, status, {"Location": "/elsewhere"})
    with SmallServer(page) as server:
        with pytest.raises(PermanentExtractError, match=f"HTTP {status}"):
            asked(client, server)
        assert server.paths == ["/x"]


def test_what_the_reader_rejects_is_asked_again(client: Client) -> None:
    def read(document: Any) -> Any:
        if not document:
            raise TransientExtractError("an empty page")
        return document

    with SmallServer(Scripted(b"[]"), GOOD) as server:
        answer, document = client.ask(Request(server.url, "/x"), read)

    assert answer.body == GOOD.body
    assert document == [{"a": 1, "p": "42.10", "x": "0.1"}]


def test_weight_is_watched_and_the_turn_of_the_minute_awaited(
    settings_of: Callable[..., Settings], clock: SleepingClock, client_of: ClientOf
) -> None:
    near_limit = Scripted(b"[]", headers={"X-MBX-USED-WEIGHT-1M": "90"})
    with SmallServer(near_limit) as server:
        settings = settings_of(
            None,
            f"exchanges.binance.spot.rest_url={server.url}",
            "exchanges.binance.spot.weight_limit_per_minute=100",
        )
        client = client_of(settings)
        asked(client, server, weight=5)
        asked(client, server, weight=5)
        assert clock.sleeps == []
        asked(client, server, weight=6)

    assert clock.sleeps == [61]


def test_a_lower_limit_in_exchange_info_is_kept_to_and_a_higher_one_changes_nothing(
    settings_of: Callable[..., Settings], client_of: ClientOf, clock: SleepingClock
) -> None:
    limit = b'{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":%d}'
    for granted, answered in ((100, 5), (1200, 6)):
        told = limit % granted
        body = b'{"serverTime":1756684800000,"rateLimits":[' + told + b'],"symbols":[]}'
        with SmallServer(Scripted(body)) as server:
            settings = settings_of(
                None,
                f"exchanges.binance.spot.rest_url={server.url}",
                "exchanges.binance.spot.weight_limit_per_minute=120",
                "extract.limit_share=0.9",
            )
            client = client_of(settings)
            ask_snapshot(client, "binance", [Request(server.url, "/info")])
            began = len(clock.sleeps)
            while len(clock.sleeps) == began:
                asked(client, server, weight=18)
        assert len(server.paths) - 1 == answered, granted


def test_deribit_is_asked_at_an_even_pace(
    settings_of: Callable[..., Settings], clock: SleepingClock, client_of: ClientOf
) -> None:
    with SmallServer(GOOD) as server:
        settings = settings_of(
            None,
            f"exchanges.deribit.rest_url={server.url}",
            "exchanges.deribit.requests_per_second=10",
            "extract.limit_share=1",
        )
        for _ in range(3):
            asked(client_of(settings), server)

    assert clock.sleeps == [0.1, 0.1]


def test_a_secret_is_sent_but_never_recorded(client: Client) -> None:
    request = Request("http://localhost", "/x", {"limit": "1"}, headers={"X-MBX-APIKEY": "s3cret"})

    assert "s3cret" not in str(request.recorded())


def test_a_download_that_is_cut_is_started_again(client: Client, tmp_path: Path) -> None:
    body = b"0123456789" * 10
    seen: list[str] = []
    with SmallServer(Scripted(body[:50], promised=100), Scripted(body)) as server:
        client.download(Request(server.url, "/f.zip"), tmp_path / "f", seen.append)

    assert (tmp_path / "f").read_bytes() == body
    assert seen == ["9cfe7faff7054298ca87557e15a10262de8d3eee77827417fbdfea1c41b9ec23"]
