"""Makes spot's bars of recorded trades: the ones that form, and intervals not recorded.

Spot's own bars were seen to follow from its trades in all nine fields, so a bar made here is what
the exchange would have published; where it published one that was recorded, that one is served.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from extract.replay.exact_json import Number
from extract.replay.made_bar import MINUTE, NO_TRADE, MadeBar
from extract.replay.spot_tapes import SpotTapes
from extract.replay.trade_tape import EIGHT_PLACES, Print


@dataclass(slots=True)
class _Growing:
    """A bar that trades are added to; prices are USDT.

    Attributes:
        until: the last millisecond that it knows.
        close: of the bar before, until it has a trade of its own; None where nobody knows it.
    """

    start: int
    until: int
    close: Decimal | None
    open: Decimal = Decimal(0)
    high: Decimal = Decimal(0)
    low: Decimal = Decimal(0)
    quantity: Decimal = Decimal(0)
    quote: Decimal = Decimal(0)
    count: int = 0
    taker_quantity: Decimal = Decimal(0)
    taker_quote: Decimal = Decimal(0)
    first_id: int = NO_TRADE
    last_id: int = NO_TRADE

    def add(self, prints: Iterable[Print]) -> None:
        for one in prints:
            if self.first_id == NO_TRADE:
                self.open = self.high = self.low = one.price
                self.first_id = one.first_id
            self.high, self.low = max(self.high, one.price), min(self.low, one.price)
            self.close, self.last_id = one.price, one.last_id
            self.count += one.last_id - one.first_id + 1
            quote = one.price * one.quantity
            self.quantity += one.quantity
            self.quote += quote
            if not one.buyer_is_maker:
                self.taker_quantity += one.quantity
                self.taker_quote += quote

    def made(self, length: int) -> MadeBar | None:
        if self.close is None:
            return None
        prices = (self.open, self.high, self.low, self.close)
        values = (*(prices if self.count else [self.close] * 4), self.quantity)
        row: list[object] = [
            self.start,
            *map(_text, values),
            self.start + length - 1,
            _text(self.quote),
            Number(self.count),
            _text(self.taker_quantity),
            _text(self.taker_quote),
            "0",
        ]
        return MadeBar(row, self.first_id, self.last_id)


class SpotBars:
    """The bars of one symbol, made where its trades were recorded."""

    def __init__(self, tapes: SpotTapes, symbol: str) -> None:
        self._tapes = tapes
        self._symbol = symbol
        self._growing: dict[int, _Growing] = {}
        self._whole: dict[tuple[int, int], MadeBar | None] = {}

    def starts(self, length: int, now: int) -> Iterator[int]:
        """Yield the starts of the bars that exist at a moment: whole ones, and one that forms.

        They are those of the newest recording that has begun: making the minutes of a day takes
        seconds, and nobody who listens to one recording asks for another.
        """
        begun = [span for span in self._spans() if span[0] <= now]
        for first, last in begun and [max(begun)]:
            for start in range(first + -first % length, min(last, now) + 1, length):
                if start + length - 1 <= last or now < start + length:
                    yield start

    def last_known(self, start: int) -> int:
        """Return the last ms of the recording that holds a bar's start."""
        return next(last for first, last in self._spans() if first <= start <= last)

    def bar(self, length: int, start: int, until: int) -> MadeBar | None:
        """Return the bar of [start, start + length) as it stood at `until`; see `BarMaker`."""
        span = next((s for s in self._spans() if s[0] <= start and until <= s[1]), None)
        if span is None:
            return None
        if until < start + length - 1:
            return self._grown(length, start, until, span[0])
        if (length, start) not in self._whole:
            made = self._grown(length, start, start + length - 1, span[0])
            self._whole[length, start] = made
        return self._whole[length, start]

    def _spans(self) -> Iterator[tuple[int, int]]:
        """Yield the times recorded: a recording begins with the minute of its first row."""
        for recording in self._tapes.of_trades(self._symbol):
            first, last = recording.span_ms
            yield first - first % MINUTE, last

    def _grown(self, length: int, start: int, until: int, since: int) -> MadeBar | None:
        """Return the bar, grown from where it was last asked for if that was before."""
        growing = self._growing.get(length)
        if growing is None or growing.start != start or growing.until > until:
            growing = _Growing(start, start - 1, self._price_before(start, since))
        growing.add(self._tapes.prints(self._symbol, growing.until, until))
        growing.until = until
        self._growing[length] = growing
        return growing.made(length)

    def _price_before(self, start: int, since: int) -> Decimal | None:
        reach = MINUTE
        while start - 1 >= since:
            after = max(since - 1, start - 1 - reach)
            prints = list(self._tapes.prints(self._symbol, after, start - 1))
            if prints or after < since:
                return prints[-1].price if prints else None
            reach *= 4
        return None


def _text(value: Decimal) -> str:
    return f"{value.quantize(EIGHT_PLACES, ROUND_DOWN):f}"
