"""The suites of `silver.funding_rates` and `gold.funding_rates`."""

from __future__ import annotations

from expectations.rules import (
    EXCHANGES,
    KINDS,
    LISTING,
    MODES,
    Key,
    Rule,
    Suite,
    day_agrees,
    one_of,
    provenance,
    required,
    within_history,
)
from lake.schemas_of_perpetuals import FUNDING_RATES, SETTLEMENTS

#: The whole value of a position in one settlement: no exchange allows a hundredth of it.
_RATE_ODD = "abs(funding_rate) > 1"
_PRICES = "mark_price <= 0 OR index_price <= 0"
_HOURS = "funding_interval_hours NOT BETWEEN 1 AND 24"
_MONTH = "date_from_unix_date(CAST(unix_micros(settlement_timestamp) DIV 86400000000 AS INT))"


def suite(*, reduced: bool = False) -> Suite:
    """Return the rules of silver; with `reduced`, no key repeats in the batch."""
    rules = (
        required(FUNDING_RATES),
        *provenance(),
        within_history("funding_timestamp"),
        day_agrees("funding_timestamp"),
        Rule("funding_rate_below_one", _RATE_ODD, "warning"),
        Rule("funding_interval_plausible", _HOURS, "warning"),
        Rule("prices_above_zero", _PRICES, "warning"),
    )
    key = Key(
        (*LISTING, "source", "revision"),
        "funding_timestamp",
        number="unix_micros(funding_timestamp)",
    )
    return Suite(rules, key if reduced else None)


def settlements() -> Suite:
    """Return the rules of gold: one row a settlement, on the minute."""
    rules = (
        required(SETTLEMENTS),
        one_of("exchange", EXCHANGES),
        one_of("kind", KINDS),
        one_of("source", MODES),
        within_history("settlement_timestamp"),
        Rule("settled_on_the_minute", "pmod(unix_micros(settlement_timestamp), 60000000) <> 0"),
        Rule(
            "interval_says_how_it_is_known",
            "(interval_is IS NULL) <> (funding_interval_hours IS NULL)"
            " OR interval_is NOT IN ('published', 'derived')",
        ),
        Rule(
            "month_agrees_with_settlement",
            f"year <> extract(year FROM {_MONTH}) OR month <> extract(month FROM {_MONTH})",
        ),
        Rule("sources_agree", "is_disputed", "warning"),
    )
    number = "unix_micros(settlement_timestamp) DIV 60000000"
    return Suite(rules, Key(LISTING, "settlement_timestamp", number=number))
