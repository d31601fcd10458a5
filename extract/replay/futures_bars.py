"""Computes the generated futures' own klines from their trades, by the venue's rules.

They are marked as generated: they test the way a bar takes, and are no proof of a derivation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal, localcontext

from extract.replay.exact_json import Number
from extract.replay.futures_tape import Contract, FuturesTrade

INTERVAL_MILLIS = {
    "1m": 60_000,
    "3m": 180_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "2h": 7_200_000,
    "4h": 14_400_000,
    "6h": 21_600_000,
    "8h": 28_800_000,
    "12h": 43_200_000,
    "1d": 86_400_000,
}
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
        bars.append(_bar(contract, inside, start, length, previous_close))
        previous_close = inside[-1].price if inside else previous_close
    return bars


def _bar(
    contract: Contract, trades: list[FuturesTrade], start: int, length: int, previous: Decimal
) -> list[object]:
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


def _quantity(contract: Contract, trades: list[FuturesTrade]) -> str:
    total = sum((trade.quantity for trade in trades), Decimal(0))
    return f"{total.quantize(contract.quantity_step):f}"


def _value(contract: Contract, trades: list[FuturesTrade]) -> str:
    if contract.contract_size is None:
        total = sum((trade.quantity * trade.price for trade in trades), Decimal(0))
        return f"{total.quantize(contract.quantity_step * contract.tick):f}"
    return (
        f"{base_quantity(contract.contract_size, trades).quantize(EIGHT_PLACES, ROUND_HALF_UP):f}"
    )


def base_quantity(contract_size: int, trades: list[FuturesTrade]) -> Decimal:
    """Return the base coin that COIN-M trades stand for, to 50 digits."""
    with localcontext(prec=50):
        return sum((t.quantity * contract_size / t.price for t in trades), Decimal(0))
