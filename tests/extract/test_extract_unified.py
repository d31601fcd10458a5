"""CCXT's unified symbols name the venue's instruments, as CCXT itself would."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ccxt
import pytest

from extract.client import Client
from extract.discovery import ask_snapshot, requests_of
from extract.listing import Listing, matching
from extract.replay.exchange import ReplayExchange
from extract.venues import binance
from lake.settings import Settings
from tests.replay.test_ccxt import pointed

SESSIONS = Path(__file__).parents[3] / "shared" / "data" / "reference" / "sessions_http_ws"
OLD_ROOTS = {
    "spot": "https://api.binance.com",
    "usdm": "https://fapi.binance.com",
    "coinm": "https://dapi.binance.com",
    "deribit": "https://www.deribit.com",
}


def ccxt_of(kind: str, exchange: ReplayExchange) -> Any:
    """Return CCXT's venue, pointed at the replay exchange."""
    makers: dict[str, Callable[[], Any]] = {
        "spot": lambda: ccxt.binance({"options": {"fetchMarkets": {"types": ["spot"]}}}),
        "usdm": ccxt.binanceusdm,
        "coinm": ccxt.binancecoinm,
        "deribit": ccxt.deribit,
    }
    return pointed(makers[kind](), OLD_ROOTS[kind], getattr(exchange.urls, kind))


@pytest.mark.parametrize(
    ("of_ccxt", "exchange_name", "kinds"),
    [
        ("spot", "binance", ("spot",)),
        ("usdm", "binance", ("usdm",)),
        ("coinm", "binance", ("coinm",)),
        ("deribit", "deribit", ("future", "option", "spot", "future_combo", "option_combo")),
    ],
)
def test_each_of_ccxts_symbols_finds_its_instrument(
    exchange: ReplayExchange,
    settings_of: Callable[..., Settings],
    client_of: Callable[[Settings], Client],
    *,
    of_ccxt: str,
    exchange_name: str,
    kinds: tuple[str, ...],
) -> None:
    settings, venue = settings_of(exchange), ccxt_of(of_ccxt, exchange)
    markets = {market["id"]: market["symbol"] for market in venue.load_markets().values()}
    venue.session.close()
    listings: list[Listing] = []
    for kind in kinds:
        requests = requests_of(settings, exchange_name, kind)
        listings += ask_snapshot(client_of(settings), exchange_name, requests).listings

    found = {name: matching([symbol], listings) for name, symbol in markets.items()}

    assert len(found) >= 2
    assert found == {name: [name] for name in markets}


@pytest.mark.parametrize(
    ("session", "count"),
    [("BINANCE.0", 1695), ("BINANCE_FUTURES.0", 122), ("BINANCE_DELIVERY.0", 36)],
)
def test_every_recorded_symbol_is_named_as_ccxt_names_it(session: str, count: int) -> None:
    if not SESSIONS.exists():
        pytest.skip("the recorded sessions are not on this machine")
    venue = ccxt.binance({"options": {"crossMarginPairsData": [], "isolatedMarginPairsData": []}})
    (document,) = exchange_infos((SESSIONS / session).read_text(encoding="utf-8"))
    by_ccxt = {
        entry["symbol"]: venue.parse_market(entry)["symbol"] for entry in document["symbols"]
    }

    ours = {one.instrument: one.unified for one in binance.listings(document)}

    assert len(ours) == count
    assert ours == by_ccxt


def exchange_infos(session: str) -> Iterator[Any]:
    for start in re.finditer(r'\{"timezone"', session):
        document, _ = json.JSONDecoder(parse_float=str).raw_decode(session[start.start() :])
        if "symbols" in document:
            yield document


def entry(symbol: str, base: str, quote: str, **more: Any) -> dict[str, Any]:
    return {"symbol": symbol, "baseAsset": base, "quoteAsset": quote, **more}


@pytest.mark.parametrize(
    ("listed", "unified"),
    [
        (entry("BCHSVUSDT", "BCHSV", "USDT"), "BSV/USDT"),
        (
            entry(
                "TSLAUSDT",
                "TSLA",
                "USDT",
                marginAsset="USDT",
                contractType="TRADIFI_PERPETUAL",
                deliveryDate=4133404800000,
            ),
            "TSLA/USDT:USDT",
        ),
        (
            entry(
                "BTCUSD_240927",
                "BTC",
                "USD",
                marginAsset="BTC",
                contractType="NEXT_QUARTER",
                deliveryDate=1727424000000,
            ),
            "BTC/USD:BTC-240927",
        ),
    ],
)
def test_odd_listings_have_ccxts_names(listed: dict[str, Any], unified: str) -> None:
    (found,) = binance.listings({"symbols": [listed]})

    assert (found.instrument, found.unified) == (listed["symbol"], unified)


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_of_one_symbol_the_settled_one_stands_back(*, turned: bool) -> None:
    listings = [Listing("ICPUSDT", "ICP/USDT:USDT"), Listing("ICPUSDT_SETTLED", "ICP/USDT:USDT")]

    assert matching(["ICP/USDT:USDT"], listings[:: -1 if turned else 1]) == ["ICPUSDT"]
    assert matching(["ICPUSDT_SETTLED"], listings) == ["ICPUSDT_SETTLED"]
