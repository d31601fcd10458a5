"""The suites of `silver.mark_klines` and `gold.mark_ohlcv`: bars of the mark price."""

from __future__ import annotations

from expectations import klines, ohlcv
from expectations.rules import (
    EXCHANGES,
    KINDS,
    MODES,
    Rule,
    Suite,
    day_agrees,
    one_of,
    provenance,
    required,
    within_history,
)
from lake.schemas_of_perpetuals import MARK_KLINES, MARK_OHLCV


def suite(*, reduced: bool = False) -> Suite:
    """Return the rules of silver; odd content stops a batch only where no finding names it."""
    rules = (
        required(MARK_KLINES),
        *provenance(),
        *klines.ODD_IS_NAMED,
        within_history("open_time"),
        day_agrees("open_time"),
        klines.HAS_FINDINGS,
    )
    return Suite(rules, klines.KEY if reduced else None)


def candles() -> Suite:
    """Return the rules of gold; an odd bar of the exchange stays odd when it is merged."""
    rules = (
        required(MARK_OHLCV),
        one_of("exchange", EXCHANGES),
        one_of("kind", KINDS),
        one_of("bar_interval", ohlcv.INTERVALS),
        one_of("source", (*MODES, "mixed")),
        *ohlcv.GRID,
        Rule("open_and_close_within_low_and_high", klines.OUTSIDE, "warning"),
        Rule("minutes_within_interval", f"minutes NOT BETWEEN 1 AND {ohlcv.LENGTH} DIV 60000000"),
        Rule("complete_where_whole", f"is_complete <> (minutes = {ohlcv.LENGTH} DIV 60000000)"),
        Rule("sources_agree", "is_disputed", "warning"),
    )
    return Suite(rules, ohlcv.KEY)
