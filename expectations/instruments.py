"""The suite of `silver.instruments`: what holds of the history of a venue's listings."""

from __future__ import annotations

from expectations.rules import (
    EXCHANGES,
    KINDS,
    LISTING,
    Key,
    Rule,
    Suite,
    one_of,
    ordered,
    required,
    within_history,
)
from lake.schemas import INSTRUMENTS

_SIZES = ("contract_size", "tick_size", "lot_size")


def suite() -> Suite:
    """Return the rules; a strike or a size is a number above zero where there is one."""
    rules = (
        required(INSTRUMENTS),
        one_of("exchange", EXCHANGES),
        one_of("kind", KINDS),
        one_of("direction", ("inverse", "linear")),
        Rule("option_type_known", "option_type NOT IN ('call', 'put')"),
        Rule("sizes_not_negative", " OR ".join(f"{size} < 0" for size in _SIZES)),
        Rule("strike_above_zero", "strike <= 0"),
        within_history("valid_from"),
        ordered("valid_from_before_valid_to", "valid_from", "valid_to"),
        ordered("listed_before_delisted", "listed_at", "delisted_at", severity="warning"),
    )
    return Suite(rules, Key(LISTING, "valid_from", number="unix_micros(valid_from)"))
