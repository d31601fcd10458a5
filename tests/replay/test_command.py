from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import Any

import pytest
import requests

from extract.replay.exchange import ReplayExchange
from jobs.context import exchanges_of
from lake.errors import UsageError
from lake.settings import load_settings
from tests.replay.listening import RECORDED, Socket, ask, exact, talk


def test_command_prints_where_it_serves() -> None:
    command = [sys.executable, "-m", "extract.replay", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(12)]
        settings = json.loads("".join(lines))
        answer = requests.get(
            f"{settings['exchanges.binance.spot.rest_url']}/api/v3/ping", timeout=20
        )
        process.terminate()

    assert answer.json() == {}
    assert sorted(settings) == [
        "exchanges.binance.archive_url",
        "exchanges.binance.coinm.rest_url",
        "exchanges.binance.coinm.ws_url",
        "exchanges.binance.spot.rest_url",
        "exchanges.binance.spot.ws_url",
        "exchanges.binance.usdm.rest_url",
        "exchanges.binance.usdm.ws_url",
        "exchanges.deribit.history_url",
        "exchanges.deribit.rest_url",
        "exchanges.deribit.ws_url",
    ]


def candlelake(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "from jobs.cli import main; raise SystemExit(main())"]
    pipe = subprocess.PIPE
    return subprocess.Popen([*command, *arguments], stdout=pipe, stderr=pipe, text=True)


async def first_three(socket: Socket) -> list[Any]:
    return [exact(await socket.receive()) for _ in range(3)]


def test_candlelake_replay_streams_with_a_clock_that_runs() -> None:
    options = ("--live-from", RECORDED, "--speed", "2", "--busy", "100")
    with candlelake("replay", *options) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(10)]
        settings = dict(line.strip().split("=", 1) for line in lines)
        heard = talk(f"{settings['exchanges.binance.spot.ws_url']}/ws/btcusdt@trade", first_three)
        url = f"{settings['exchanges.binance.spot.rest_url']}/api/v3/trades"
        busy = requests.get(url, {"symbol": "BUSY019USDT"}, timeout=20).json()
        process.terminate()

    assert len(busy) == 500

    assert [one["t"] for one in heard] == [4_744_868_157, 4_744_868_158, 4_744_868_159]
    assert settings["exchanges.deribit.ws_url"].endswith("/deribit/ws/api/v2")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--live-from", "noon"), "--live-from can't be read: 'noon'"),
        (("--live-from", RECORDED, "--speed", "fast"), "--speed can't be read: 'fast'"),
        (("--live-from", RECORDED, "--speed", "0"), "can't run at speed 0"),
        (("--busy", "-1"), "there can't be 20 instruments and -1 trades a second"),
    ],
)
def test_bad_option_is_one_clear_error(options: tuple[str, ...], told: str) -> None:
    with candlelake("replay", *options) as process:
        _, errors = process.communicate(timeout=60)

    assert process.returncode == 2
    assert told in errors
    assert len(errors.splitlines()) == 1


def test_settings_fill_in_every_address_of_the_replay_environment() -> None:
    with exchanges_of(load_settings("replay", [])) as settings:
        heard = listen_for_answer(f"{settings.exchanges.binance.spot.ws_url}/ws")
        deribit = settings.exchanges.deribit.ws_url

    assert heard == {"result": [], "id": 1}
    assert deribit.startswith("ws://127.0.0.1:")


def listen_for_answer(url: str) -> Any:
    async def conversation(socket: Socket) -> Any:
        return await ask(socket, method="LIST_SUBSCRIPTIONS", id=1)

    return talk(url, conversation)


def test_port_in_use_is_one_clear_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(UsageError, match=f"can't listen on 127.0.0.1:{port}"):
            ReplayExchange(port=port).__enter__()
