"""`--instruments` takes CCXT's unified symbols; one that nobody has is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from extract.replay.exchange import ReplayExchange
from tests.front_door.commands import candlelake, landed, pointed_at, the_error

TAPE = ("--start", "2024-08-08T23:56:00Z", "--end", "2024-08-09T00:10:00Z")


@pytest.mark.parametrize(
    ("exchange", "kind", "symbol", "name"),
    [
        ("binance", "usdm", "BTC/USDT:USDT", "BTCUSDT"),
        ("deribit", "future", "BTC/USD:BTC", "BTC-PERPETUAL"),
    ],
)
def test_a_unified_symbol_lands_the_venues_instrument(
    tmp_path: Path, exchange: str, kind: str, symbol: str, name: str
) -> None:
    words = ("--exchange", exchange, "--kind", kind, "--instruments", symbol, *TAPE)

    done = candlelake("extract", "--set", f"lake.root={tmp_path}", "--datasets", "klines", *words)

    assert done.returncode == 0, done.stderr
    (bars,) = [key for key in landed(tmp_path) if key.startswith("bronze/klines/")]
    assert bars.rpartition("/")[2].startswith(f"{name}~history~")


def test_an_unknown_symbol_is_refused_and_the_nearest_named(tmp_path: Path) -> None:
    with ReplayExchange() as exchange:
        words = ("--env", "local", "--set", f"lake.root={tmp_path}", *pointed_at(exchange))
        of = ("--exchange", "binance", "--kind", "coinm", "--instruments", "BTC/USDT:BTC")
        line = the_error(candlelake("extract", *words, *of, *TAPE))

    assert "the exchange has no instrument 'BTC/USDT:BTC'" in line
    assert "Nearest are BTC/USD:BTC" in line
    assert landed(tmp_path) == []
