"""Writes the futures' `exchangeInfo` for the generated contracts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from extract.replay.futures_tape import Contract

PERPETUAL_DELIVERY = 4_133_404_800_000  # the exchange's stand-in for "never"
ONBOARDED = 1_597_042_800_000
ALIKE: Mapping[str, object] = {
    "maintMarginPercent": "2.5000",
    "requiredMarginPercent": "5.0000",
    "underlyingType": "COIN",
    "underlyingSubType": ["PoW"],
    "triggerProtect": "0.0500",
    "liquidationFee": "0.012500",
    "marketTakeBound": "0.05",
    "maxMoveOrderLimit": 10_000,
    "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"],
    "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
}


def exchange_information(
    server_time_ms: int, weight_limit: int, contracts: Iterable[Contract]
) -> dict[str, object]:
    """Return the body of `GET /fapi|dapi/v1/exchangeInfo`.

    COIN-M says `contractStatus` and `contractSize` where USD-M says `status`.
    """
    symbols = [_symbol(contract) for contract in contracts]
    head: dict[str, object] = {"timezone": "UTC", "serverTime": server_time_ms}
    if "status" in symbols[0]:
        head["futuresType"] = "U_MARGINED"
        head["assets"] = [
            {"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"},
        ]
    limit = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1}
    limits = [{**limit, "limit": weight_limit}]
    return {**head, "rateLimits": limits, "exchangeFilters": [], "symbols": symbols}


def _symbol(contract: Contract) -> dict[str, object]:
    return {
        "symbol": contract.symbol,
        "pair": contract.base + contract.quote,
        "contractType": "PERPETUAL",
        "deliveryDate": PERPETUAL_DELIVERY,
        "onboardDate": ONBOARDED,
        **_status(contract),
        "baseAsset": contract.base,
        "quoteAsset": contract.quote,
        "marginAsset": contract.quote if contract.contract_size is None else contract.base,
        "pricePrecision": _decimals(contract.tick),
        "quantityPrecision": _decimals(contract.quantity_step),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "filters": _filters(contract),
        **ALIKE,
    }


def _status(contract: Contract) -> dict[str, object]:
    if contract.contract_size is None:
        return {"status": "TRADING"}
    return {"contractStatus": "TRADING", "contractSize": contract.contract_size}


def _filters(contract: Contract) -> list[dict[str, object]]:
    tick, step = f"{contract.tick:f}", f"{contract.quantity_step:f}"
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": tick,
            "maxPrice": "4529764",
            "tickSize": tick,
        },
        {"filterType": "LOT_SIZE", "minQty": step, "maxQty": "1000000", "stepSize": step},
        {"filterType": "MARKET_LOT_SIZE", "minQty": step, "maxQty": "60000", "stepSize": step},
    ]


def _decimals(step: Decimal) -> int:
    return len(f"{step:f}".partition(".")[2])
