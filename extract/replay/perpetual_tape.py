"""Generates funding rates and mark prices from a seed, because no real ones ship; marked so.

They prove nothing about an exchange: rates are drawn, and a mark price is a walk around the price
at which the contract's trades begin.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from random import Random

from extract.replay.futures_tape import MINUTE, Contract
from lake.clock import to_millis

HOUR = 60 * MINUTE
FUNDING_HOURS = 8
#: A whole month before the tape's window, which the archive serves.
FUNDING_START = to_millis(datetime(2024, 7, 1, tzinfo=UTC))
FUNDING_ARCHIVED = (FUNDING_START, to_millis(datetime(2024, 8, 1, tzinfo=UTC)))
#: A whole day before the end of the tape's window, which the archive serves.
MARK_START = to_millis(datetime(2024, 8, 8, tzinfo=UTC))
MARK_ARCHIVED = (MARK_START, to_millis(datetime(2024, 8, 9, tzinfo=UTC)))
EIGHT_PLACES = Decimal("0.00000001")
#: How late settlements were stamped in recorded answers of 2020, in ms.
LATENESS = (0, 0, 0, 1, 3, 8, 17)
#: A mark price stays within so many units of its eighth place of the one a minute before.
STEP = 1_500_000_000


@dataclass(frozen=True, slots=True)
class Settlement:
    """One funding of a contract: when it was stamped (ms), the rate, and the mark price then."""

    time: int
    rate: Decimal
    mark_price: Decimal


@dataclass(frozen=True, slots=True)
class MarkMinute:
    """The mark price within one minute; `start` in ms."""

    start: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal


def settlements(contract: Contract, seed: int, until_ms: int) -> Iterator[Settlement]:
    """Yield the settlements up to a moment, one every 8 hours; each is the same for any moment."""
    random = Random(f"{seed}/funding/{contract.symbol}")
    for start in range(FUNDING_START, until_ms + 1, FUNDING_HOURS * HOUR):
        rate = random.choice((10_000, 10_000, random.randrange(-20_000, 30_000)))
        price = _middle(contract) + random.randrange(-STEP, STEP) * EIGHT_PLACES
        yield Settlement(start + random.choice(LATENESS), rate * EIGHT_PLACES, price)


def mark_minutes(contract: Contract, seed: int, until_ms: int) -> Iterator[MarkMinute]:
    """Yield the minutes that have begun by a moment; each opens where the last one closed."""
    random = Random(f"{seed}/mark/{contract.symbol}")
    middle = _middle(contract)
    price = middle
    for start in range(MARK_START, until_ms + 1, MINUTE):
        step = STEP // 100
        # drawn back to the middle, so that a day does not walk away from the trades
        close = price + (middle - price) / 64 + random.randrange(-step, step) * EIGHT_PLACES
        close = close.quantize(EIGHT_PLACES)
        reach = [random.randrange(step) * EIGHT_PLACES for _ in range(2)]
        yield MarkMinute(
            start, price, max(price, close) + reach[0], min(price, close) - reach[1], close
        )
        price = close


def mark_bars(minutes: Iterable[MarkMinute], length: int) -> Iterator[MarkMinute]:
    """Merge minutes into bars of a length (ms), the last one perhaps not whole."""
    for start, grouped in groupby(minutes, lambda one: one.start - one.start % length):
        inside = list(grouped)
        yield MarkMinute(
            start,
            inside[0].open,
            max(one.high for one in inside),
            min(one.low for one in inside),
            inside[-1].close,
        )


def funding_row(symbol: str, settlement: Settlement) -> dict[str, object]:
    """Return a settlement as REST writes it."""
    return {
        "symbol": symbol,
        "fundingTime": settlement.time,
        "fundingRate": f"{settlement.rate:f}",
        "markPrice": f"{settlement.mark_price:f}",
    }


def mark_row(bar: MarkMinute, length: int) -> list[object]:
    """Return a bar as REST and the archive write it: as a kline, whose volumes are zero."""
    prices = [f"{price:f}" for price in (bar.open, bar.high, bar.low, bar.close)]
    count = length // 1000  # as recorded: how often the mark price was computed
    return [bar.start, *prices, "0", bar.start + length - 1, "0", count, "0", "0", "0"]


def _middle(contract: Contract) -> Decimal:
    return (contract.first_tick * contract.tick).quantize(EIGHT_PLACES)
