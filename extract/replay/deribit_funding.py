"""Generates the hourly funding of Deribit's perpetuals from a seed; it proves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from random import Random

from extract.replay.deribit_instruments import PERPETUAL_EXPIRY, Instrument
from extract.replay.deribit_market import index_price
from extract.replay.exact_json import Number, number
from extract.replay.perpetual_tape import FUNDING_START, HOUR

#: What one answer holds at most; ccxt counts on it, the docs name no limit.
MOST_HOURS = 744


def is_perpetual(instrument: Instrument) -> bool:
    """Tell whether an instrument has funding."""
    return instrument.kind == "future" and instrument.expiry == PERPETUAL_EXPIRY


def funding_hours(
    instrument: Instrument, seed: int, start_ms: int, end_ms: int
) -> list[dict[str, object]]:
    """Return the hours that end after `start_ms` and up to `end_ms`, the newest that fit.

    A row stamped exactly at the start is left out, as ccxt takes it. An hour's rates are drawn from
    the seed and the hour alone; they are written as a binary number is, with an exponent.
    """
    first = max(start_ms + 1, FUNDING_START + HOUR)
    stamps = range(first + -first % HOUR, end_ms + 1, HOUR)
    return [dict(_fields(instrument, seed, time)) for time in stamps[-MOST_HOURS:]]


def _fields(instrument: Instrument, seed: int, time: int) -> Iterator[tuple[str, object]]:
    random = Random(f"{seed}/funding/{instrument.name}/{time}")
    yield "timestamp", time
    yield "index_price", number(index_price(instrument.price_index, time))
    yield "prev_index_price", number(index_price(instrument.price_index, time - HOUR))
    yield "interest_8h", _rate(random, 5)
    yield "interest_1h", _rate(random, 7)


def _rate(random: Random, exponent: int) -> Number:
    digits = Decimal(random.randrange(10**15, 10**16)) / 10**15
    sign = random.choice(("", "-"))
    return Number(f"{sign}{digits:f}e-{exponent:02}")
