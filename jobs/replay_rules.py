"""The rules of the replay exchange that a command starts for itself."""

from __future__ import annotations

from typing import Literal

from extract.replay.engine import Rules
from extract.replay.exchange_clock import (
    COINM,
    DEFAULT_NOW,
    DERIBIT,
    DERIBIT_HISTORY,
    GENERATED_NOW,
    SPOT,
    USDM,
    Live,
)
from extract.replay.limits import WeightRules
from extract.replay.stock import stock
from lake.settings import Settings

#: Whether its clock stands still behind what is recorded, runs from there, or runs from each
#: market's first trade on, so that its streams have something to send.
ReplayClock = Literal["still", "running", "from_first_trade"]


def rules_of(settings: Settings, clock: ReplayClock) -> Rules:
    """Return the rules: Binance's limits as the settings have them, and the clock."""
    binance = settings.exchanges.binance
    limits = {SPOT: binance.spot, USDM: binance.usdm, COINM: binance.coinm}
    weight = {
        segment: WeightRules(market.weight_limit_per_minute) for segment, market in limits.items()
    }
    if clock == "still":
        return Rules(weight=weight)
    if clock == "running":
        return Rules(now=DEFAULT_NOW, live=Live(GENERATED_NOW), weight=weight)
    began = {
        kind: min(
            one.start
            for one in stock()
            if (one.exchange, one.kind, one.dataset) == ("binance", kind, "trades")
        )
        for kind in ("spot", "usdm")
    }
    generated = dict.fromkeys((USDM, COINM, DERIBIT, DERIBIT_HISTORY), began["usdm"])
    return Rules(now=generated, live=Live(began["spot"]), weight=weight)
