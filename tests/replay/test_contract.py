"""Shapes: Deribit's own OpenAPI contract, and keys and JSON types of recorded real answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.replay.asking import Asking

START, END = 1_723_161_360_000, 1_723_162_200_000
PERPETUAL = {"instrument_name": "BTC-PERPETUAL"}
CHART = {"start_timestamp": START, "end_timestamp": END, "resolution": "1"}
# Where the contract contradicts what the exchange was recorded to send, the recording is right:
# enums of currencies, `combo_trade_id` as text, sizes with a fraction, tick steps as a list, and
# spot without a settlement.
TOO_NARROW = {
    "instrument": (
        *("settlement_currency", "counter_currency", "base_currency", "quote_currency"),
        *("settlement_period", "contract_size", "tick_size_steps"),
    ),
    "public_trade": ("combo_trade_id",),
}


@pytest.fixture(scope="module")
def contract(reference: Path) -> dict[str, Any]:
    text = (reference / "deribit_openapi" / "deribit_openapi_v2.1.1.json").read_text()
    document: dict[str, Any] = json.loads(text)
    schemas = document["components"]["schemas"]
    for name, fields in TOO_NARROW.items():
        for field in fields:
            schemas[name]["properties"][field] = {}
    schemas["instrument"]["required"].remove("settlement_period")
    return document


@pytest.mark.parametrize(
    ("method", "parameters", "schema"),
    [
        ("get_time", {}, "PublicGetTimeResponse"),
        ("get_instruments", {"currency": "any"}, "PublicGetInstrumentsResponse"),
        (
            "get_instruments",
            {"currency": "BTC", "expired": "true"},
            "PublicGetInstrumentsResponse",
        ),
        ("get_instrument", PERPETUAL, "PublicGetInstrumentResponse"),
        ("get_index_price", {"index_name": "btc_usd"}, "PublicGetIndexPriceResponse"),
        ("get_index_price_names", {}, "PublicGetIndexPriceNamesResponse"),
        ("get_index_price_names", {"extended": "true"}, "PublicGetIndexPriceNamesResponse"),
        (
            "get_last_trades_by_instrument",
            {**PERPETUAL, "count": 1000},
            "PublicTradesHistoryResponse",
        ),
        (
            "get_last_trades_by_instrument_and_time",
            {**PERPETUAL, "start_timestamp": START, "end_timestamp": END, "count": 100},
            "PublicTradesHistoryResponse",
        ),
        (
            "get_last_trades_by_currency",
            {"currency": "USDC", "count": 1000},
            "PublicTradesHistoryResponse",
        ),
        (
            "get_last_trades_by_currency",
            {"currency": "BTC", "kind": "combo", "count": 1000},
            "PublicTradesHistoryResponse",
        ),
        (
            "get_tradingview_chart_data",
            {**PERPETUAL, **CHART},
            "PublicGetTradingviewChartDataResponse",
        ),
    ],
)
def test_answer_keeps_deribits_contract(
    ask: Asking, contract: dict[str, Any], method: str, parameters: dict[str, Any], schema: str
) -> None:
    answer = ask.get(f"{ask.urls.deribit}/api/v2/public/{method}", **parameters).json()

    wanted = {"$ref": f"#/components/schemas/{schema}", "components": contract["components"]}
    jsonschema.Draft202012Validator(wanted).validate(answer)


def json_type(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else type(value).__name__


def shape(value: Any) -> Any:
    """Return keys and JSON types: of an object each field, of an array its first item."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return json_type(value)


def recorded(reference: Path, name: str) -> Any:
    return json.loads((reference / name).read_text())


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ("http_spot_market_agg_trades", "binance/spot/api/v3/aggTrades?symbol=BTCUSDT"),
        (
            "http_spot_market_historical_trades",
            "binance/spot/api/v3/historicalTrades?symbol=BTCUSDT",
        ),
        ("http_spot_market_trades", "binance/spot/api/v3/trades?symbol=BTCUSDT"),
        ("http_spot_market_ping", "binance/spot/api/v3/ping"),
        ("http_spot_market_time", "binance/spot/api/v3/time"),
        ("http_futures_market_agg_trades", "binance/usdm/fapi/v1/aggTrades?symbol=BTCUSDT"),
        ("http_futures_market_trades", "binance/usdm/fapi/v1/trades?symbol=BTCUSDT"),
    ],
)
def test_binance_answer_has_the_recorded_shape(
    ask: Asking, reference: Path, body: str, path: str
) -> None:
    answer = ask.get(f"{ask.urls.root}/{path}").json()

    assert shape(answer) == shape(recorded(reference, f"binance_bodies/{body}.json"))


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ("http_spot_market_klines", "binance/spot/api/v3/klines?symbol=BTCUSDT&interval=1h"),
        ("http_futures_market_klines", "binance/usdm/fapi/v1/klines?symbol=BTCUSDT&interval=1m"),
        (
            "http_futures_market_klines",
            "binance/coinm/dapi/v1/klines?symbol=BTCUSD_PERP&interval=1m",
        ),
    ],
)
def test_binance_bar_has_the_recorded_types(
    ask: Asking, reference: Path, body: str, path: str
) -> None:
    bar = ask.get(f"{ask.urls.root}/{path}").json()[-1]
    real = recorded(reference, f"binance_bodies/{body}.json")[0]

    assert [json_type(value) for value in bar] == [json_type(value) for value in real]


@pytest.mark.parametrize(
    ("route", "path"),
    [
        ("/dapi/v1/trades", "binance/coinm/dapi/v1/trades?symbol=BTCUSD_PERP"),
        ("/dapi/v1/aggTrades", "binance/coinm/dapi/v1/aggTrades?symbol=BTCUSD_PERP"),
        ("/fapi/v1/trades", "binance/usdm/fapi/v1/trades?symbol=BTCUSDT"),
        ("/fapi/v1/aggTrades", "binance/usdm/fapi/v1/aggTrades?symbol=BTCUSDT"),
    ],
)
def test_futures_rows_have_the_recorded_fields(
    ask: Asking, reference: Path, route: str, path: str
) -> None:
    routes = recorded(reference, "binance_rest_ws_mocks/http.json")["routes"]
    real = (routes.get(route) or routes[f"/{route}"])["GET"][0]["data"][0]

    assert shape(ask.get(f"{ask.urls.root}/{path}").json()[0]) == shape(real)


@pytest.mark.parametrize(
    ("route", "path"),
    [
        ("/api/v3/exchangeInfo", "binance/spot/api/v3/exchangeInfo"),
        ("/fapi/v1/exchangeInfo", "binance/usdm/fapi/v1/exchangeInfo"),
        ("/dapi/v1/exchangeInfo", "binance/coinm/dapi/v1/exchangeInfo"),
    ],
)
def test_exchange_info_invents_no_field(
    ask: Asking, reference: Path, route: str, path: str
) -> None:
    routes = recorded(reference, "binance_rest_ws_mocks/http.json")["routes"]
    real = (routes.get(route) or routes[f"/{route}"])["GET"][0]["data"]
    ours = ask.get(f"{ask.urls.root}/{path}").json()

    assert set(ours) <= set(real)
    for name, value in ours["symbols"][0].items():
        assert json_type(value) == json_type(real["symbols"][0][name]), name


@pytest.mark.parametrize(
    ("body", "instrument"),
    [
        ("http_get_last_trades_option_combo", "BTC-CS-9AUG24-60000_62000"),
        ("http_get_last_trades_future_combo", "BTC-FS-27SEP24_PERP"),
    ],
)
def test_combo_trade_has_the_recorded_fields(
    ask: Asking, reference: Path, body: str, instrument: str
) -> None:
    real = recorded(reference, f"deribit_bodies/{body}.json")["result"]["trades"][0]
    ours = ask.deribit("get_last_trades_by_instrument", instrument_name=instrument)["result"]

    assert set(ours["trades"][0]) == set(real)
    assert set(ours["trades"][0]["legs"][0]) == set(real["legs"][0])


def test_instruments_have_only_recorded_fields(ask: Asking, reference: Path) -> None:
    names = ("http_get_instrument", "http_get_instrument_option")
    known = {"state"}.union(
        *(recorded(reference, f"deribit_bodies/{name}.json")["result"] for name in names)
    )

    for instrument in ask.deribit("get_instruments", currency="any")["result"]:
        assert set(instrument) <= known
