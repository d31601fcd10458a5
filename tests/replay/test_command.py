from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest
import requests

from extract.replay.exchange import ReplayExchange
from lake.errors import UsageError


def test_command_prints_where_it_serves() -> None:
    command = [sys.executable, "-m", "extract.replay", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(8)]
        settings = json.loads("".join(lines))
        answer = requests.get(
            f"{settings['exchanges.binance.spot.rest_url']}/api/v3/ping", timeout=20
        )
        process.terminate()

    assert answer.json() == {}
    assert sorted(settings) == [
        "exchanges.binance.archive_url",
        "exchanges.binance.coinm.rest_url",
        "exchanges.binance.spot.rest_url",
        "exchanges.binance.usdm.rest_url",
        "exchanges.deribit.history_url",
        "exchanges.deribit.rest_url",
    ]


def test_port_in_use_is_one_clear_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(UsageError, match=f"can't listen on 127.0.0.1:{port}"):
            ReplayExchange(port=port).__enter__()
