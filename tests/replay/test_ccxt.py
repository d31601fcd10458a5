"""CCXT, which knows nothing of us, accepts the replay exchange for the real ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ccxt
import pytest

from extract.replay.exchange import ReplayExchange

START = 1_723_161_360_000


def pointed(venue: Any, old_root: str, new_root: str) -> Any:
    """Replace the exchange's host by ours in all addresses that CCXT keeps."""
    api = venue.urls["api"]
    if isinstance(api, str):
        venue.urls["api"] = api.replace(old_root, new_root)
    else:
        venue.urls["api"] = {
            name: url.replace(old_root, new_root) if isinstance(url, str) else url
            for name, url in api.items()
        }
    return venue


@pytest.fixture(scope="module")
def spot(exchange: ReplayExchange) -> Iterator[Any]:
    venue = ccxt.binance({"options": {"fetchMarkets": {"types": ["spot"]}}})
    yield pointed(venue, "https://api.binance.com", exchange.urls.spot)
    venue.session.close()


@pytest.fixture(scope="module")
def usdm(exchange: ReplayExchange) -> Iterator[Any]:
    venue = ccxt.binanceusdm()
    yield pointed(venue, "https://fapi.binance.com", exchange.urls.usdm)
    venue.session.close()


@pytest.fixture(scope="module")
def coinm(exchange: ReplayExchange) -> Iterator[Any]:
    venue = ccxt.binancecoinm()
    yield pointed(venue, "https://dapi.binance.com", exchange.urls.coinm)
    venue.session.close()


@pytest.fixture(scope="module")
def deribit(exchange: ReplayExchange) -> Iterator[Any]:
    venue = ccxt.deribit()
    yield pointed(venue, "https://www.deribit.com", exchange.urls.deribit)
    venue.session.close()


def test_spot_markets_trades_and_bars(spot: Any) -> None:
    assert sorted(spot.load_markets()) == ["BTC/USDT", "ETH/USDT", "SOL/USDT"]

    trades = spot.fetch_trades("BTC/USDT", since=1_704_067_200_000, limit=3)
    bars = spot.fetch_ohlcv("BTC/USDT", "1h", since=1_704_067_200_000, limit=24)

    assert [trade["id"] for trade in trades] == ["2807759891", "2807759892", "2807759893"]
    assert [trade["side"] for trade in trades] == ["sell", "buy", "sell"]
    assert [bar[0] for bar in bars] == [1_704_067_200_000 + hour * 3_600_000 for hour in range(24)]


def test_raw_klines_keep_all_twelve_fields_as_text(spot: Any) -> None:
    bars = spot.public_get_klines({"symbol": "BTCUSDT", "interval": "1h", "limit": 1})

    assert bars[0][5:9] == ["3475.97051000", 1704153599999, "152707972.56789150", 114796]


def test_usdm_markets_trades_and_bars(usdm: Any) -> None:
    assert sorted(usdm.load_markets()) == ["BTC/USDT:USDT", "ETH/USDT:USDT"]
    assert usdm.market("BTC/USDT:USDT")["linear"] is True

    trades = usdm.fetch_trades("BTC/USDT:USDT", since=START, limit=1000)
    bars = usdm.fetch_ohlcv("BTC/USDT:USDT", "1m", since=START, limit=5)

    assert len(trades) == 1000
    assert [bar[0] for bar in bars] == [START + minute * 60_000 for minute in range(5)]


def test_coinm_markets_trades_and_bars(coinm: Any) -> None:
    assert sorted(coinm.load_markets()) == ["BTC/USD:BTC", "ETH/USD:ETH"]
    assert coinm.market("BTC/USD:BTC")["contractSize"] == 100
    assert coinm.market("BTC/USD:BTC")["inverse"] is True

    trades = coinm.fetch_trades("BTC/USD:BTC", since=START, limit=10)
    bars = coinm.fetch_ohlcv("ETH/USD:ETH", "1m", since=START, limit=5)

    assert len(trades) == 10
    assert len(bars) == 5


def test_deribit_markets_trades_and_bars(deribit: Any) -> None:
    markets = deribit.load_markets()
    assert {market["id"] for market in markets.values()} >= {
        "BTC-PERPETUAL",
        "BTC_USDC",
        "XRP_USDC-9AUG24-0d625-C",
        "SOL_USDC-9AUG24-152d5-P",
    }

    trades = deribit.fetch_trades("BTC/USD:BTC", since=START, limit=1000)
    bars = deribit.fetch_ohlcv("BTC/USD:BTC", "1m", since=START, limit=10)

    assert len(trades) == 908  # the book, a block, a liquidation and six legs of combos
    assert [bar[0] for bar in bars] == [START + minute * 60_000 for minute in range(10)]


def test_error_bodies_become_the_right_exceptions(spot: Any, deribit: Any) -> None:
    with pytest.raises(ccxt.BadSymbol):
        spot.public_get_aggtrades({"symbol": "NOPE"})
    with pytest.raises(ccxt.ExchangeError, match="not_found"):
        deribit.public_get_get_instrument({"instrument_name": "BTC-NOPE"})
