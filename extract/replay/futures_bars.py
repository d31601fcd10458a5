"""Computes the generated futures' own klines from their trades, by the venue's rules.

They are marked as generated: they test the way a bar takes, and are no proof of a derivation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal, localcontext

from extract.replay.exact_json import Number
from extract.replay.futures_tape import Contract, FuturesTrade
from extract.replay.made_bar import INTERVAL_MILLIS

EIGHT_PLACES = Decimal("0.00000001")


def klines(
    contract: Contract, trades: Sequence[FuturesTrade], interval: str, now_ms: int
) -> list[list[object]]:
    """Return every bar from the first trade to the one that is forming now, quiet ones flat.

    Slots as REST prints them: volume in base coin (USD-M) or contracts (COIN-M); slot 8 is quote
    quantity (USD-M, exact) or base coin (COIN-M, sum of quantity x contract size / price, rounded
    half up to 8 decimals).
    """
    length = INTERVAL_MILLIS[interval]
    by_start: defaultdict[int, list[FuturesTrade]] = defaultdict(list)
    for trade in trades:
        if trade.time <= now_ms:
            by_start[trade.time - trade.time % length].append(trade)
    bars: list[list[object]] = []
    previous_close = trades[0].price
    for start in range(min(by_start, default=now_ms + 1), now_ms + 1, length):
        inside = by_start.get(start, [])
        bars.append(bar_row(contract, inside, start, length, previous_close))
        previous_close = inside[-1].price if inside else previous_close
    return bars


def bar_row(
    contract: Contract, trades: Sequence[FuturesTrade], start: int, length: int, previous: Decimal
) -> list[object]:
    """Return one bar of its trades; `previous` is the price of one that has none."""
    prices = [trade.price for trade in trades] or [previous]
    taken = [trade for trade in trades if not trade.buyer_is_maker]
    return [
        start,
        *(f"{price:f}" for price in (prices[0], max(prices), min(prices), prices[-1])),
        _quantity(contract, trades),
        start + length - 1,
        _value(contract, trades),
        Number(len(trades)),
        _quantity(contract, taken),
        _value(contract, taken),
        "0",
    ]


def _quantity(contract: Contract, trades: Sequence[FuturesTrade]) -> str:
    total = sum((trade.quantity for trade in trades), Decimal(0))
    return f"{total.quantize(contract.quantity_step):f}"


def _value(contract: Contract, trades: Sequence[FuturesTrade]) -> str:
    if contract.contract_size is None:
        total = sum((trade.quantity * trade.price for trade in trades), Decimal(0))
        return f"{total.quantize(contract.quantity_step * contract.tick):f}"
    return (
        f"{base_quantity(contract.contract_size, trades).quantize(EIGHT_PLACES, ROUND_HALF_UP):f}"
    )


def base_quantity(contract_size: int, trades: Sequence[FuturesTrade]) -> Decimal:
    """Return the base coin that COIN-M trades stand for, to 50 digits."""
    with localcontext(prec=50):
        return sum((t.quantity * contract_size / t.price for t in trades), Decimal(0))
