"""Finds what a Deribit channel sends, from the generated market."""

from __future__ import annotations

from collections.abc import Iterable

from extract.replay.deribit import CURRENCIES, KINDS, Deribit, listed
from extract.replay.deribit_bars import RESOLUTION_MILLIS
from extract.replay.deribit_instruments import Instrument
from extract.replay.deribit_market import INDEX_PRICES, INSTRUMENTS
from extract.replay.deribit_tape import DeribitTrade
from extract.replay.streams.deribit_chart_source import Chart
from extract.replay.streams.deribit_market_sources import IndexPrice, States
from extract.replay.streams.deribit_trades_source import Trades
from extract.replay.streams.source import Source
from lake.errors import CandlelakeError

#: Trades are gathered for so long, in ms. One page of the docs says 1 second of agg2, another 2.
INTERVALS = {"100ms": 100, "agg2": 2_000}
RAW = "raw"


class RawRefusedError(CandlelakeError):
    """A raw channel was asked for without authorisation."""


def deribit_source(venue: Deribit, channel: str) -> Source | None:
    """Return what a channel sends; None where there is no such channel.

    Raises:
        RawRefusedError: the channel is raw.
    """
    match channel.split("."):
        case ["trades" | "book" | "ticker", *_, last] if last == RAW:
            raise RawRefusedError("raw channels want an authorised connection", where=channel)
        case ["trades", name, interval] if name in INSTRUMENTS and interval in INTERVALS:
            return Trades(channel, venue.tapes[name], INTERVALS[interval])
        case ["trades", kind, currency, interval] if interval in INTERVALS:
            return _group(venue, channel, kind, currency)
        case ["chart", "trades", name, length] if name in INSTRUMENTS:
            known = length in RESOLUTION_MILLIS
            return Chart(channel, venue.tapes[name], length) if known else None
        case ["deribit_price_index", index] if index in INDEX_PRICES:
            return IndexPrice(channel, index)
        case ["instrument", "state", kind, currency] if _is_group(kind, currency):
            return States(
                channel, [one for one in INSTRUMENTS.values() if listed(one, currency, kind)]
            )
    return None


def _group(venue: Deribit, channel: str, kind: str, currency: str) -> Source | None:
    if not _is_group(kind, currency):
        return None
    interval = channel.rpartition(".")[2]
    return Trades(channel, _of_group(venue, kind, currency), INTERVALS[interval])


def _is_group(kind: str, currency: str) -> bool:
    return kind in (*KINDS, "combo", "any") and currency in (*CURRENCIES, "any")


def _instruments(kind: str, currency: str) -> Iterable[Instrument]:
    return (one for one in INSTRUMENTS.values() if listed(one, currency, kind))


def _of_group(venue: Deribit, kind: str, currency: str) -> Iterable[DeribitTrade]:
    for instrument in _instruments(kind, currency):
        yield from venue.tapes[instrument.name]
