"""Prints to candles of a minute, as gold makes them, the forming one included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from itertools import pairwise

from jobs.watch.prints import Print

MINUTE_MS = 60_000
#: Wider than decimal(38,18): no sum is ever rounded.
EXACT = Context(prec=80)


@dataclass(frozen=True, slots=True)
class Candle:
    """A minute of an instrument; prices are None where every print was off the book.

    Attributes:
        start_ms: its begin (UNIX ms); it covers a minute.
        close: of the forming one, the last price.
        volume: in the venue's own unit of quantity.
        is_closed: whether a later print is known, or the exchange's time has passed its end.
        is_whole: whether each print from the one before it up to its last is known, by number.
    """

    start_ms: int
    open: Decimal | None
    high: Decimal | None
    low: Decimal | None
    close: Decimal | None
    volume: Decimal
    trades: int
    is_closed: bool
    is_whole: bool


def candles(prints: Iterable[Print], now_ms: int, last: int) -> list[Candle]:
    """Return the forming candle of `now_ms` and the `last` ones before it, the newest first.

    Args:
        prints: in any order; one that comes twice counts once, and the first stays.
        now_ms: the exchange's time of what is newest (UNIX ms).
        last: how many minutes before the present one; a minute without prints has no candle.
    """
    by_number: dict[int, Print] = {}
    for one in prints:
        by_number.setdefault(one.number, one)
    ordered = [by_number[number] for number in sorted(by_number)]
    present_ms = now_ms - now_ms % MINUTE_MS
    starts = (present_ms - n * MINUTE_MS for n in range(last + 1))
    found = (_candle(ordered, start_ms, present_ms) for start_ms in starts)
    return [one for one in found if one is not None]


def _candle(ordered: Sequence[Print], start_ms: int, present_ms: int) -> Candle | None:
    own = [one for one in ordered if start_ms <= one.time_ms < start_ms + MINUTE_MS]
    if not any(one.trades for one in own):
        return None
    is_closed = start_ms < present_ms
    prices = [one.price for one in own if one.sets_price]
    volume = Decimal(0)
    for one in own:
        volume = EXACT.add(volume, one.quantity)
    return Candle(
        start_ms,
        prices[0] if prices else None,
        max(prices, default=None),
        min(prices, default=None),
        prices[-1] if prices else None,
        volume,
        sum(one.trades for one in own),
        is_closed,
        _is_whole(ordered, own, is_closed=is_closed),
    )


def _is_whole(ordered: Sequence[Print], own: Sequence[Print], *, is_closed: bool) -> bool:
    """Tell whether numbers run on from the print before to the print after."""
    first, last = own[0].number, own[-1].number
    around = [one.number for one in ordered if first - 1 <= one.number <= last + is_closed]
    begins = around[0] == first - 1
    ends = not is_closed or around[-1] == last + 1
    return begins and ends and all(after == before + 1 for before, after in pairwise(around))
