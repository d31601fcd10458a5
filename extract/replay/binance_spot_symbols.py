"""Writes spot's `exchangeInfo` for the recorded symbols; made from known facts, not recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SpotSymbol:
    """What is known of a recorded symbol: assets, price step, quantity step."""

    base: str
    tick_size: str
    step_size: str
    quote: str = "USDT"


SYMBOLS: Mapping[str, SpotSymbol] = {
    "BTCUSDT": SpotSymbol("BTC", "0.01000000", "0.00001000"),
    "ETHUSDT": SpotSymbol("ETH", "0.01000000", "0.00010000"),
    "SOLUSDT": SpotSymbol("SOL", "0.01000000", "0.00100000"),
}


def exchange_information(
    server_time_ms: int, weight_limit: int, symbols: Mapping[str, SpotSymbol]
) -> dict[str, object]:
    """Return the body of `GET /api/v3/exchangeInfo` for some symbols."""
    return {
        "timezone": "UTC",
        "serverTime": server_time_ms,
        "rateLimits": [
            _rate_limit("REQUEST_WEIGHT", "MINUTE", 1, weight_limit),
            _rate_limit("RAW_REQUESTS", "MINUTE", 5, 61_000),
        ],
        "exchangeFilters": [],
        "symbols": [_symbol(name, symbol) for name, symbol in symbols.items()],
    }


def _rate_limit(kind: str, interval: str, count: int, limit: int) -> dict[str, object]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": count, "limit": limit}


def _symbol(name: str, symbol: SpotSymbol) -> dict[str, object]:
    return {
        "symbol": name,
        "status": "TRADING",
        "baseAsset": symbol.base,
        "baseAssetPrecision": 8,
        "quoteAsset": symbol.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"],
        "icebergAllowed": True,
        "ocoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": True,
        "filters": _filters(symbol),
        "permissions": [],
        "permissionSets": [["SPOT", "MARGIN"]],
    }


def _filters(symbol: SpotSymbol) -> list[dict[str, object]]:
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": symbol.tick_size,
            "maxPrice": "1000000.00000000",
            "tickSize": symbol.tick_size,
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": symbol.step_size,
            "maxQty": "9000.00000000",
            "stepSize": symbol.step_size,
        },
    ]
