"""Bars without gaps, as `gold.ohlcv_filled` has them: from bars with prints and empty stretches."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from serve.records import Bar, Run, RunState

MINUTE = 60_000
#: The length of each interval, in ms.
LENGTHS = {
    "1m": MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "1h": 60 * MINUTE,
    "4h": 240 * MINUTE,
    "1d": 1440 * MINUTE,
}


class Carried(NamedTuple):
    """What a bar without prints takes over from the ones before it."""

    close: str
    is_complete: bool


class Slot(NamedTuple):
    """A bar's place in time: with its bar, or the state of the stretch that has none."""

    start: int
    bar: Bar | None
    state: RunState | None
    built_from: str = "trades"


def slots(
    bars: Sequence[Bar], runs: Sequence[Run], length: int, bounds: tuple[int | None, int | None]
) -> Iterator[Slot]:
    """Yield the slots of `[start, end)` by time: those of bars, and those of empty stretches.

    Args:
        bars: by time.
        runs: by time, of whole bars; they touch no bar with prints.
        length: of a bar, in ms.
        bounds: start and end in ms, None where open.
    """
    printed = (Slot(bar.bar_start, bar, None) for bar in bars)
    empty = (
        Slot(time, None, run.state, run.built_from)
        for run in runs
        for time in _starts(run, length, bounds)
    )
    return heapq.merge(printed, empty, key=lambda slot: slot.start)


def _starts(run: Run, length: int, bounds: tuple[int | None, int | None]) -> range:
    start, end = bounds
    first = run.from_time
    if start is not None and start > first:
        first += -(-(start - first) // length) * length
    return range(first, run.until_time if end is None else min(end, run.until_time), length)


def filled(of: Sequence[Slot], carried: Carried | None, length: int) -> list[Bar]:
    """Return the bars of slots, as `transform/filled.py` defines them.

    Quiet slots are flat at the last price-setting close and as complete as its bar; unknown ones
    have no price, are not complete, and what follows knows no close until the next price.

    Args:
        of: by time, without a gap but of halts.
        carried: what is known right before the first; None where nothing is.
        length: of a bar, in ms.
    """
    rows = []
    for slot in of:
        if slot.bar is None:
            if slot.state == "unknown":
                carried = None
            rows.append(_empty(slot, carried, length))
        elif slot.bar.close is None:
            rows.append(_off_book(slot.bar, carried))
        else:
            rows.append(slot.bar)
            carried = Carried(slot.bar.close, slot.bar.is_complete)
    return rows


def _off_book(bar: Bar, carried: Carried | None) -> Bar:
    if carried is None:
        return bar
    flat = carried.close
    return bar._replace(open=flat, high=flat, low=flat, close=flat)


def _empty(slot: Slot, carried: Carried | None, length: int) -> Bar:
    flat = carried.close if carried and slot.state == "quiet" else None
    return Bar(
        bar_start=slot.start,
        bar_end=slot.start + length,
        open=flat,
        high=flat,
        low=flat,
        close=flat,
        volume="0",
        base_volume="0",
        quote_volume="0",
        trade_count=0,
        taker_buy_volume="0",
        taker_buy_base_volume="0",
        taker_buy_quote_volume="0",
        first_trade_seq=None,
        last_trade_seq=None,
        built_from=slot.built_from,
        is_complete=bool(flat is not None and carried and carried.is_complete),
        is_filled=flat is not None,
        knowledge_us=None,
        revision=0,
    )
