"""Finds what a Deribit channel sends, from the generated market."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import groupby

from extract.replay.deribit import CURRENCIES, KINDS, Deribit, listed
from extract.replay.deribit_market import INSTRUMENTS
from extract.replay.deribit_tape import DeribitTrade
from extract.replay.exact_json import write_bytes
from extract.replay.streams.source import Source
from lake.errors import CandlelakeError

#: Trades are gathered for so long, in ms. One page of the docs says 1 second of agg2, another 2.
INTERVALS = {"100ms": 100, "agg2": 2_000}
RAW = "raw"
TRADES_PARTS = 3
GROUP_PARTS = 4


class RawRefusedError(CandlelakeError):
    """A raw channel was asked for without authorisation."""


def notification(channel: str, data: object) -> bytes:
    """Return the message of a subscription."""
    params = {"channel": channel, "data": data}
    return write_bytes({"jsonrpc": "2.0", "method": "subscription", "params": params})


class Trades:
    """`trades.…`: the trades of one instrument, or of all of a kind and currency, in slots."""

    def __init__(self, channel: str, trades: Iterable[DeribitTrade], slot_ms: int) -> None:
        self._channel = channel
        self._slot_ms = slot_ms
        self._trades = sorted(trades, key=_by_time)
        self._times = [trade.time for trade in self._trades]

    def payloads(self, after_ms: int, until_ms: int) -> Sequence[bytes]:
        """Return a message for each slot that ends in (after, until] and has trades."""
        first = bisect_left(self._times, after_ms - after_ms % self._slot_ms)
        last = bisect_left(self._times, until_ms - until_ms % self._slot_ms)
        slots = groupby(self._trades[first:last], lambda trade: trade.time // self._slot_ms)
        return [
            notification(self._channel, [trade.to_json() for trade in trades])
            for _, trades in slots
        ]


def deribit_source(venue: Deribit, channel: str) -> Source | None:
    """Return what a channel sends; None where there is no such channel.

    Raises:
        RawRefusedError: the channel is raw.
    """
    family, *parts = channel.split(".")
    if parts and parts[-1] == RAW:
        raise RawRefusedError("raw channels want an authorised connection", where=channel)
    return _trades(venue, channel, parts) if family == "trades" else None


def _trades(venue: Deribit, channel: str, parts: Sequence[str]) -> Source | None:
    slot_ms = INTERVALS.get(parts[-1]) if parts else None
    if slot_ms is None:
        return None
    if len(parts) == TRADES_PARTS - 1 and parts[0] in INSTRUMENTS:
        return Trades(channel, venue.tapes[parts[0]], slot_ms)
    if len(parts) == GROUP_PARTS - 1 and _is_group(parts[0], parts[1]):
        return Trades(channel, _of_group(venue, parts[0], parts[1]), slot_ms)
    return None


def _is_group(kind: str, currency: str) -> bool:
    return kind in (*KINDS, "combo", "any") and currency in (*CURRENCIES, "any")


def _of_group(venue: Deribit, kind: str, currency: str) -> Iterable[DeribitTrade]:
    for tape in venue.tapes.values():
        if listed(tape[0].instrument, currency, kind):
            yield from tape


def _by_time(trade: DeribitTrade) -> tuple[int, str, int]:
    return trade.time, trade.instrument.family, trade.trade_number
