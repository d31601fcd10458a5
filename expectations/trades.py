"""The suite of `silver.trades`: what holds of a batch of prints."""

from __future__ import annotations

from expectations.rules import (
    IS_COMBO,
    LISTING,
    Key,
    Rule,
    Suite,
    above_zero,
    day_agrees,
    not_negative,
    one_of,
    provenance,
    required,
    within_history,
)
from lake.schemas import TRADES

PRINT_KINDS = ("adl", "block", "book", "combo_leg", "insurance_fund", "rfq", "unknown")


def suite(*, reduced: bool = False) -> Suite:
    """Return the rules; with `reduced`, the batch was reduced by its key, and no key repeats."""
    rules = (
        required(TRADES),
        *provenance(),
        one_of("taker_side", ("buy", "sell")),
        one_of("print_kind", PRINT_KINDS),
        Rule("print_kind_decided", "print_kind = 'unknown'", "warning"),
        above_zero("price", unless=IS_COMBO),
        above_zero("quantity"),
        above_zero("quote_quantity", unless=IS_COMBO),
        not_negative("trade_seq"),
        within_history("trade_timestamp"),
        day_agrees("trade_timestamp"),
    )
    return Suite(rules, Key(LISTING, "trade_seq", number="trade_seq") if reduced else None)
