"""What Binance's answers hold and cost, for the plan of a run."""

from __future__ import annotations

from collections.abc import Mapping

from extract.budgets import funding_address
from extract.plan import Pages
from extract.venues.binance import BARS_PER_PAGE, MARKETS, PAGE, segment
from extract.venues.binance_perpetuals import MINUTES_PER_PAGE
from lake.bronze import Dataset
from lake.settings import Settings

#: More rows than Binance's busiest instrument has had in a day.
ROWS_PER_DAY: Mapping[str, int] = {
    "trades": 40_000_000,
    "agg_trades": 15_000_000,
    "klines": 86_400,
    "mark_klines": 1_440,
    "funding_rates": 24,
}
#: Body bytes of a row over REST, and of its zipped line in the archive.
ROW_BYTES: Mapping[str, int] = {
    "trades": 160,
    "agg_trades": 125,
    "klines": 180,
    "funding_rates": 110,
}
ZIPPED_ROW_BYTES: Mapping[str, int] = {
    "trades": 16,
    "agg_trades": 14,
    "klines": 60,
    "mark_klines": 25,
    "funding_rates": 14,
}


def trade_pages(settings: Settings, kind: str, dataset: Dataset) -> Pages:
    """Return what pages of trades, or of aggregates, hold and cost."""
    market, base = MARKETS[kind], segment(settings, kind).rest_url
    of_aggregates = dataset == "agg_trades"
    return Pages(
        base,
        rows=PAGE if of_aggregates else market.trades_limit,
        weight=market.agg_weight if of_aggregates else market.trades_weight,
        row_bytes=ROW_BYTES[dataset],
        aside=3,
        rows_per_day=ROWS_PER_DAY[dataset],
        days_back=market.days_of_aggregates if of_aggregates else 0,
    )


def bar_pages(settings: Settings, kind: str) -> Pages:
    """Return what pages of klines hold and cost."""
    base, weight = segment(settings, kind).rest_url, MARKETS[kind].bars_weight
    return Pages(base, rows=BARS_PER_PAGE, weight=weight, row_bytes=ROW_BYTES["klines"], aside=1)


def rate_pages(settings: Settings, kind: str) -> Pages:
    """Return what pages of funding rates hold, in minutes, and cost of their own budget."""
    address = funding_address(settings, kind)
    row_bytes = ROW_BYTES["funding_rates"]
    return Pages(address, rows=MINUTES_PER_PAGE, weight=1, row_bytes=row_bytes, aside=1)


def archive_pages(settings: Settings, dataset: Dataset) -> Pages:
    """Return what a day of the archive holds at most; it has no limit."""
    rows = ROWS_PER_DAY[dataset]
    base = settings.exchanges.binance.archive_url
    return Pages(base, rows, 0, ZIPPED_ROW_BYTES[dataset], aside=0, rows_per_day=rows)
