"""The generated Deribit market: an instrument of each kind and awkward name, and the indexes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from extract.replay.deribit_instruments import PERPETUAL_EXPIRY, Instrument
from lake.clock import to_millis


def _expiry(month: int, day: int) -> int:
    return to_millis(datetime(2024, month, day, 8, tzinfo=UTC))


YESTERDAY = _expiry(8, 8)
THIS_WEEK = _expiry(8, 9)
SEPTEMBER = _expiry(9, 27)


@dataclass(frozen=True, slots=True)
class _Listing:
    """What differs between instruments of one sort: name, id, first price, number of trades."""

    name: str
    identity: int
    price: str
    trades: int


def _inverse_future(listing: _Listing, coin: str, expiry: int) -> Instrument:
    bitcoin = coin == "BTC"
    periods = {PERPETUAL_EXPIRY: "perpetual", THIS_WEEK: "week", SEPTEMBER: "month"}
    return Instrument(
        name=listing.name,
        kind="future",
        instrument_id=listing.identity,
        base=coin,
        quote="USD",
        counter="USD",
        settlement=coin,
        period=periods[expiry],
        expiry=expiry,
        tick=Decimal("0.5") if bitcoin else Decimal("0.05"),
        amount_step=Decimal(10) if bitcoin else Decimal(1),
        contract_size=Decimal(10) if bitcoin else Decimal(1),
        first_price=Decimal(listing.price),
        price_index=f"{coin.lower()}_usd",
        trades=listing.trades,
        family="" if bitcoin else f"{coin}-",
        inverse=True,
    )


def _coin_option(listing: _Listing, coin: str, expiry: int) -> Instrument:
    strike, option_type = _strike_of(listing.name)
    bitcoin = coin == "BTC"
    return Instrument(
        name=listing.name,
        kind="option",
        instrument_id=listing.identity,
        base=coin,
        quote=coin,
        counter="USD",
        settlement=coin,
        period="week",
        expiry=expiry,
        tick=Decimal("0.0001"),
        amount_step=Decimal("0.1") if bitcoin else Decimal(1),
        contract_size=Decimal(1),
        first_price=Decimal(listing.price),
        price_index=f"{coin.lower()}_usd",
        trades=listing.trades,
        family="" if bitcoin else f"{coin}-",
        strike=strike,
        option_type=option_type,
    )


def _usdc(listing: _Listing, kind: str, tick: str, step: str) -> Instrument:
    coin = listing.name.partition("_")[0]
    strike, option_type = _strike_of(listing.name) if kind == "option" else (None, None)
    spot, perpetual = kind == "spot", kind == "future"
    return Instrument(
        name=listing.name,
        kind=kind,
        instrument_id=listing.identity,
        base=coin,
        quote="USDC",
        counter="USDC",
        settlement=None if spot else "USDC",
        period=None if spot else ("perpetual" if perpetual else "week"),
        expiry=PERPETUAL_EXPIRY if spot or perpetual else THIS_WEEK,
        tick=Decimal(tick),
        amount_step=Decimal(step),
        contract_size=Decimal(step),
        first_price=Decimal(listing.price),
        price_index=f"{coin.lower()}_usdc",
        trades=listing.trades,
        family=f"{coin}_USDC-",
        strike=strike,
        option_type=option_type,
    )


def _strike_of(name: str) -> tuple[Decimal, str]:
    """Read strike and type from a name; Deribit writes a decimal point as a lower-case `d`."""
    strike, letter = name.split("-")[2:]
    return Decimal(strike.replace("d", ".")), "call" if letter == "C" else "put"


def _combo(name: str, kind: str, identity: int, legs: tuple[tuple[str, str], ...]) -> Instrument:
    future = kind == "future_combo"
    return Instrument(
        name=name,
        kind=kind,
        instrument_id=identity,
        base="BTC",
        quote="USD" if future else "BTC",
        counter="USD",
        settlement="BTC",
        period="month" if future else "week",
        expiry=SEPTEMBER if future else THIS_WEEK,
        tick=Decimal("0.5") if future else Decimal("0.0001"),
        amount_step=Decimal(10) if future else Decimal("0.1"),
        contract_size=Decimal(10) if future else Decimal(1),
        first_price=Decimal(0),
        price_index="btc_usd",
        trades=0,
        legs=legs,
    )


FUTURE_COMBO = _combo(
    "BTC-FS-27SEP24_PERP",
    "future_combo",
    420_101,
    (("BTC-27SEP24", "same"), ("BTC-PERPETUAL", "opposite")),
)
OPTION_COMBO = _combo(
    "BTC-CS-9AUG24-60000_62000",
    "option_combo",
    420_102,
    (("BTC-9AUG24-60000-C", "same"), ("BTC-9AUG24-62000-C", "opposite")),
)
_ALL = (
    _inverse_future(_Listing("BTC-PERPETUAL", 210_838, "61650", 900), "BTC", PERPETUAL_EXPIRY),
    _inverse_future(_Listing("ETH-PERPETUAL", 210_760, "2683", 600), "ETH", PERPETUAL_EXPIRY),
    _inverse_future(_Listing("BTC-9AUG24", 419_001, "61660", 60), "BTC", THIS_WEEK),
    _inverse_future(_Listing("BTC-27SEP24", 380_101, "62450", 120), "BTC", SEPTEMBER),
    _inverse_future(_Listing("ETH-27SEP24", 380_102, "2710", 60), "ETH", SEPTEMBER),
    _usdc(_Listing("BTC_USDC", 300_001, "61640", 150), "spot", "1", "0.0001"),
    _usdc(_Listing("SOL_USDC-PERPETUAL", 300_002, "155.3", 200), "future", "0.001", "0.1"),
    _coin_option(_Listing("BTC-9AUG24-60000-C", 419_101, "0.0285", 40), "BTC", THIS_WEEK),
    _coin_option(_Listing("BTC-9AUG24-62000-C", 419_102, "0.0085", 40), "BTC", THIS_WEEK),
    _coin_option(_Listing("BTC-9AUG24-55000-P", 419_103, "0.0004", 20), "BTC", THIS_WEEK),
    _coin_option(_Listing("ETH-9AUG24-2650-C", 419_104, "0.0195", 30), "ETH", THIS_WEEK),
    _usdc(_Listing("XRP_USDC-9AUG24-0d625-C", 419_201, "0.012", 20), "option", "0.0001", "1000"),
    _usdc(_Listing("SOL_USDC-9AUG24-152d5-P", 419_202, "1.9", 20), "option", "0.01", "10"),
    _coin_option(_Listing("BTC-8AUG24-57000-C", 418_101, "0.0012", 6), "BTC", YESTERDAY),
    FUTURE_COMBO,
    OPTION_COMBO,
)
INSTRUMENTS: Mapping[str, Instrument] = {instrument.name: instrument for instrument in _ALL}

INDEX_PRICES: Mapping[str, Decimal] = {
    "btc_usd": Decimal("61640.55"),
    "eth_usd": Decimal("2682.35"),
    "btc_usdc": Decimal("61642.10"),
    "sol_usdc": Decimal("155.2871"),
    "xrp_usdc": Decimal("0.6134"),
}


def index_price(name: str, time_ms: int) -> Decimal:
    """Return the made-up index price of a moment: steady within a second, within 0.1 %."""
    middle = INDEX_PRICES[name]
    wave = time_ms // 1000 * 7919 % 2001 - 1000
    return (middle + middle * wave / 1_000_000).quantize(middle)
