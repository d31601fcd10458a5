"""A busy symbol's trades: each a pure function of seed, symbol and place, found without a walk.

Prices and quantities repeat after `PERIOD` trades, so that sums and extremes over any range follow
from one period's. Neighbouring prices always differ: every trade is an aggregate of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from random import Random

from lake.clock import to_millis
from lake.errors import UsageError

PERIOD = 4_096
FIRST_ID = 1_000_000_001
#: An hour of trades before the recorded ones begin.
BUSY_START = datetime(2025, 3, 25, 22, 7, tzinfo=UTC)
STEPS = (-3, -2, -1, 1, 2, 3)
LOWEST_TICK = 20_000
PRICE_DECIMALS, QUANTITY_DECIMALS = 2, 3


@dataclass(frozen=True, slots=True)
class Busy:
    """How busy the generated market is.

    Attributes:
        instruments: symbols BUSY000USDT, BUSY001USDT, … on spot, and as many on USD-M.
        trades_per_second: of all symbols of one segment together, by the exchange's clock.
        start: when trading begins; it never ends.
    """

    instruments: int = 20
    trades_per_second: int = 20_000
    start: datetime = BUSY_START

    def __post_init__(self) -> None:
        if not 1 <= self.instruments <= 1_000 or self.trades_per_second < 1:
            told = f"{self.instruments} instruments and {self.trades_per_second} trades a second"
            raise UsageError(
                f"there can't be {told}", hint="Use 1 to 1,000 instruments, and 1 trade or more."
            )

    @property
    def symbols(self) -> list[str]:
        """The names of the symbols."""
        return [f"BUSY{number:03}USDT" for number in range(self.instruments)]


@dataclass(frozen=True, slots=True)
class Totals:
    """Of a range of trades: extremes in ticks, quantities in steps, quote in ticks times steps."""

    high: int
    low: int
    quantity: int
    quote: int
    taker_quantity: int
    taker_quote: int


class BusyTape:
    """One symbol's trades by place: 0 for the first, whose id is `FIRST_ID`.

    Attributes:
        ticks: the price of each place of the period, in 0.01.
        quantities: likewise, in 0.001 of the base coin.
        makers: likewise, whether the buyer is the maker.
    """

    def __init__(self, symbol: str, busy: Busy, seed: int) -> None:
        random = Random(f"{seed}/busy/{symbol}")
        self.symbol = symbol
        self.ticks = _walk(random)
        self.quantities = [random.randrange(1, 5_000) for _ in range(PERIOD)]
        self.makers = [bool(random.getrandbits(1)) for _ in range(PERIOD)]
        self._start_ms = to_millis(busy.start)
        # a trade comes every `per_trade / rate` ms
        self._rate, self._per_trade = busy.trades_per_second, 1_000 * busy.instruments
        quotes = [tick * size for tick, size in zip(self.ticks, self.quantities, strict=True)]
        taken = [not maker for maker in self.makers]
        self._sums = [
            list(accumulate(column, initial=0))
            for column in (
                self.quantities,
                quotes,
                [size * is_taken for size, is_taken in zip(self.quantities, taken, strict=True)],
                [quote * is_taken for quote, is_taken in zip(quotes, taken, strict=True)],
            )
        ]

    def time(self, place: int) -> int:
        """Return the time of a trade, in ms."""
        return self._start_ms + place * self._per_trade // self._rate

    def count(self, until_ms: int) -> int:
        """Return how many trades there are up to and with a millisecond."""
        passed = until_ms - self._start_ms + 1
        return -(-passed * self._rate // self._per_trade) if passed > 0 else 0

    def totals(self, first: int, end: int) -> Totals:
        """Return what a bar says of the trades [first, end), at least one of them."""
        ticks = self._ticks(first, end)
        sums = [
            (end // PERIOD - first // PERIOD) * column[PERIOD]
            + column[end % PERIOD]
            - column[first % PERIOD]
            for column in self._sums
        ]
        return Totals(max(ticks), min(ticks), *sums)

    def _ticks(self, first: int, end: int) -> list[int]:
        """Return all prices that occur in [first, end)."""
        if end - first >= PERIOD:
            return self.ticks
        begin, stop = first % PERIOD, end % PERIOD
        return self.ticks[begin:stop] if begin < stop else self.ticks[begin:] + self.ticks[:stop]


def _walk(random: Random) -> list[int]:
    """Return a walk that ends where it began: its second half takes the first one's steps back."""
    steps = [random.choice(STEPS) for _ in range(PERIOD // 2)]
    back = [-step for step in reversed(steps)]
    lowest = LOWEST_TICK + random.randrange(LOWEST_TICK)
    return list(accumulate([*steps, *back], initial=lowest))[:PERIOD]
