from __future__ import annotations

import pytest

from extract.replay.exchange import ReplayExchange
from tests.replay.asking import Asking

PATHS = (
    "binance/spot/api/v3/exchangeInfo",
    "binance/spot/api/v3/aggTrades?symbol=ETHUSDT",
    "binance/usdm/fapi/v1/aggTrades?symbol=BTCUSDT&limit=1000",
    "binance/usdm/fapi/v1/klines?symbol=ETHUSDT&interval=1m",
    "binance/coinm/dapi/v1/klines?symbol=BTCUSD_PERP&interval=5m",
    "deribit/api/v2/public/get_instruments?currency=any",
    "deribit/api/v2/public/get_last_trades_by_currency?currency=BTC&count=1000",
    "replay/holdings",
)


@pytest.mark.parametrize("path", PATHS)
def test_two_exchanges_answer_the_same_bytes_and_headers(own_ask: Asking, path: str) -> None:
    with ReplayExchange() as other:
        here = own_ask.get(f"{own_ask.urls.root}/{path}")
        there = own_ask.get(f"{other.urls.root}/{path}")

    assert here.content == there.content
    if not path.startswith("replay"):
        assert dict(here.headers) == dict(there.headers)
