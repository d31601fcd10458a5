"""The suite of `gold.ohlcv`: what holds of a batch of candles."""

from __future__ import annotations

from expectations.rules import (
    EXCHANGES,
    IS_COMBO,
    KINDS,
    LISTING,
    Key,
    Rule,
    Suite,
    above_zero,
    not_negative,
    one_of,
    ordered,
    required,
    within_history,
)
from lake.schemas import OHLCV

#: Seconds of each interval that gold holds; every one divides the day, so the grid starts at 0.
INTERVALS = {"1m": 60, "5m": 300, "15m": 900, "1h": 3600, "4h": 14400, "1d": 86400}
_LENGTHS = ", ".join(f"'{name}', {seconds}000000L" for name, seconds in INTERVALS.items())
LENGTH = f"try_element_at(map({_LENGTHS}), bar_interval)"
_START, _END = "unix_micros(bar_start)", "unix_micros(bar_end)"
_PRICES = ("open", "high", "low", "close")
_PRICED = " + ".join(f"CAST({price} IS NOT NULL AS INT)" for price in _PRICES)
#: A combo's negative price makes what is computed from it negative too.
_SHARES = (
    "taker_buy_volume > volume OR ((taker_buy_base_volume > base_volume"
    f" OR taker_buy_quote_volume > quote_volume) AND NOT ({IS_COMBO}))"
)
_MONTH = "date_from_unix_date(CAST(floor(unix_micros(bar_start) / 86400000000) AS INT))"
#: Where a bar lies: what holds of candles of any kind.
GRID = (
    Rule("bar_as_long_as_its_interval", f"{_END} - {_START} <> {LENGTH}"),
    Rule("bar_starts_on_grid", f"pmod({_START}, {LENGTH}) <> 0"),
    within_history("bar_end"),
    Rule(
        "month_agrees_with_bar_start",
        f"year <> extract(year FROM {_MONTH}) OR month <> extract(month FROM {_MONTH})",
    ),
)
#: What holds of bars of prints, whatever closes one; where all are off-book there is no price.
SOUND = (
    one_of("exchange", EXCHANGES),
    one_of("kind", KINDS),
    one_of("built_from", ("agg_trades", "trades")),
    Rule("prices_all_or_none", f"({_PRICED}) NOT IN (0, 4)"),
    Rule(
        "open_and_close_within_low_and_high",
        "high < greatest(open, close, low) OR low > least(open, close, high)",
    ),
    not_negative("volume", "taker_buy_volume"),
    Rule("taker_share_within_total", _SHARES),
    above_zero("trade_count"),
    ordered("first_trade_before_last", "first_trade_seq", "last_trade_seq"),
)
KEY = Key((*LISTING, "bar_interval"), "bar_start", number=f"{_START} DIV 60000000")


def suite() -> Suite:
    """Return the rules of candles of prints."""
    return Suite((required(OHLCV), one_of("bar_interval", INTERVALS), *GRID, *SOUND), KEY)
