"""Computes the generated Deribit market's own chart data, by the venue's rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext

from extract.replay.deribit_tape import DeribitTrade
from extract.replay.exact_json import number

MINUTE = 60_000
RESOLUTION_MILLIS = {
    **{str(minutes): minutes * MINUTE for minutes in (1, 3, 5, 10, 15, 30, 60, 120, 180, 360, 720)},
    "1D": 1_440 * MINUTE,
}
MOST_BARS = 5_000
EIGHT_PLACES = Decimal("0.00000001")
FIELDS = ("open", "high", "low", "close", "volume", "cost")


@dataclass(frozen=True, slots=True)
class ChartBar:
    """One bar: start in ms, volume in base currency, cost in quote currency."""

    tick: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    cost: Decimal


def chart_bars(
    trades: Sequence[DeribitTrade], resolution: str, start_ms: int, end_ms: int
) -> list[ChartBar]:
    """Return the bars whose start lies within [start, end], at most 5,000, quiet ones flat.

    Bars begin with the instrument's first trade that sets a price. Block prints count in volume
    and cost but set no price; a bar of such prints alone is flat at the previous close.
    """
    length = RESOLUTION_MILLIS[resolution]
    by_start: defaultdict[int, list[DeribitTrade]] = defaultdict(list)
    for trade in trades:
        by_start[trade.time - trade.time % length].append(trade)
    bars: list[ChartBar] = []
    close = next((trade.price for trade in trades if trade.sets_price), None)
    if close is None:
        return bars
    for tick in range(min(by_start), end_ms + 1, length):
        bars.append(bar_of(tick, by_start.get(tick, []), close))
        close = bars[-1].close
    return [bar for bar in bars if bar.tick >= start_ms][:MOST_BARS]


def bar_of(tick: int, trades: Sequence[DeribitTrade], previous: Decimal) -> ChartBar:
    """Return one bar of its trades; `previous` is the close of the bar before."""
    prices = [trade.price for trade in trades if trade.sets_price] or [previous]
    volume, cost = _volume_and_cost(trades)
    return ChartBar(tick, prices[0], max(prices), min(prices), prices[-1], volume, cost)


def _volume_and_cost(trades: Sequence[DeribitTrade]) -> tuple[Decimal, Decimal]:
    """Inverse: amounts are USD, so cost is their sum and volume the coin; else the reverse.

    A combo's price may be zero or negative, so its volume is the sum of its amounts.
    """
    amount = sum((trade.amount for trade in trades), Decimal(0))
    with localcontext(prec=50):
        if trades and trades[0].instrument.inverse:
            coin = sum((t.amount / t.price for t in trades), Decimal(0))
            return coin.quantize(EIGHT_PLACES, ROUND_HALF_UP), amount
        return amount, sum((trade.amount * trade.price for trade in trades), Decimal(0))


def chart_document(bars: Sequence[ChartBar]) -> dict[str, object]:
    """Return the result of `get_tradingview_chart_data`: parallel arrays, or `no_data`."""
    columns: dict[str, object] = {
        name: [number(getattr(bar, name)) for bar in bars] for name in FIELDS
    }
    ticks = [bar.tick for bar in bars]
    return {"status": "ok" if bars else "no_data", "ticks": ticks, **columns}
