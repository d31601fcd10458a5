"""The suite of `silver.agg_trades`: what holds of a batch of Binance's aggregate trades."""

from __future__ import annotations

from expectations.rules import (
    LISTING,
    Key,
    Suite,
    above_zero,
    day_agrees,
    not_negative,
    one_of,
    ordered,
    provenance,
    required,
    within_history,
)
from lake.schemas import AGG_TRADES


def suite(*, reduced: bool = False) -> Suite:
    """Return the rules; with `reduced`, the batch was reduced by its key, and no key repeats."""
    rules = (
        required(AGG_TRADES),
        *provenance(),
        one_of("taker_side", ("buy", "sell")),
        above_zero("price"),
        above_zero("quantity"),
        above_zero("quote_quantity"),
        not_negative("agg_id", "first_trade_seq"),
        ordered("first_trade_before_last", "first_trade_seq", "last_trade_seq"),
        within_history("trade_timestamp"),
        day_agrees("trade_timestamp"),
    )
    return Suite(rules, Key(LISTING, "agg_id", number="agg_id") if reduced else None)
