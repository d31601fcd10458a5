"""The suites of `gold.information_bars`: what holds of its rows, and of the sums of a day."""

from __future__ import annotations

from expectations.ohlcv import SOUND
from expectations.rules import (
    LISTING,
    Key,
    Rule,
    Suite,
    above_zero,
    one_of,
    ordered,
    required,
    within_history,
)
from lake.schemas_of_information_bars import INFORMATION_BARS

BAR_TYPES = ("dollar", "tick", "volume")
_DAY = "date_from_unix_date(CAST(floor(unix_micros({}) / 86400000000) AS INT))"
KEY = Key((*LISTING, "bar_type", "threshold", "bar_date"), "bar_number", number="bar_number")


def suite() -> Suite:
    """Return the rules of the bars; prices and sums are held to those of candles."""
    rules = (
        required(INFORMATION_BARS),
        one_of("bar_type", BAR_TYPES),
        above_zero("threshold"),
        above_zero("bar_number"),
        within_history("bar_end"),
        ordered("bar_starts_before_it_ends", "bar_start", "bar_end"),
        Rule(
            "prints_within_bar_date",
            f"bar_date <> {_DAY.format('bar_start')} OR bar_date <> {_DAY.format('bar_end')}",
        ),
        Rule(
            "month_agrees_with_bar_date",
            "year <> extract(year FROM bar_date) OR month <> extract(month FROM bar_date)",
        ),
        *SOUND,
    )
    return Suite(rules, KEY)


def reconciled() -> Suite:
    """Return the rule of `transform.information_days.compared`: nothing lost, nothing twice."""
    return Suite((Rule("equals_the_candle_of_the_day", "NOT by_bars <=> by_day"),), whole=False)
