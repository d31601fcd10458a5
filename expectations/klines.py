"""The suite of `silver.klines`: the exchange's own bars, odd ones included where they are named."""

from __future__ import annotations

from expectations.rules import (
    EXCHANGES,
    LISTING,
    Key,
    Rule,
    Suite,
    day_agrees,
    provenance,
    required,
    within_history,
)
from lake.schemas import KLINES

OUTSIDE = "high < greatest(open, close, low) OR low > least(open, close, high)"
_NAMED = "size(findings) > 0"
_SHARES = "taker_buy_volume_sent > volume_sent OR taker_buy_quote_volume_sent > quote_volume_sent"
#: CCXT reads no quote volume out of an exchange's bars; Binance and Deribit send one.
_UNTOLD = f"quote_volume_sent IS NULL AND exchange IN {EXCHANGES}"
_VOLUMES = "volume_sent < 0 OR trade_count < 0"
#: What holds of an exchange's bars of any kind.
ODD_IS_NAMED = (
    Rule("odd_times_named", f"open_time > close_time AND NOT {_NAMED}"),
    Rule("odd_prices_named", f"({OUTSIDE}) AND NOT {_NAMED}"),
)
HAS_FINDINGS = Rule("bar_without_findings", _NAMED, "warning")
KEY = Key(
    (*LISTING, "bar_interval", "source", "revision"), "open_time", number="unix_micros(open_time)"
)


def suite(*, reduced: bool = False) -> Suite:
    """Return the rules; with `reduced`, the batch holds revisions, and no key repeats.

    What an exchange published stands, so odd content stops a batch only where no finding names it.
    """
    rules = (
        required(KLINES),
        *provenance(),
        Rule("quote_volume_of_the_venue_present", _UNTOLD),
        *ODD_IS_NAMED,
        Rule("volumes_not_negative", _VOLUMES, "warning"),
        Rule("taker_share_within_total", _SHARES, "warning"),
        within_history("open_time"),
        day_agrees("open_time"),
        HAS_FINDINGS,
    )
    return Suite(rules, KEY if reduced else None)
