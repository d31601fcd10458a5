"""What the serving database holds, as its readers get it.

Times are UNIX milliseconds, except where a name ends in `_us` (microseconds). Decimals are exact:
text in plain notation without trailing zeros, as `plain` writes it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, NamedTuple

#: What a series is: bars of an instrument, or prices of an index.
SeriesType = Literal["bars", "index"]
#: Why a stretch of a series has no print: proved quiet, or not known.
RunState = Literal["quiet", "unknown"]


def plain(value: Decimal) -> str:
    """Return a decimal as exact text in plain notation, without trailing zeros and `-0`."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


class Series(NamedTuple):
    """One listing of an instrument, or one index: what bars and prices belong to.

    `series_id` is the database's own number. Units are the newest known. Every minute that ends
    by `complete_until` is proved; what is told of the market, holes in it too, reaches up to
    `known_until`. Both are null where nothing is proved.
    """

    series_id: int
    series_type: SeriesType
    exchange: str
    kind: str
    instrument: str
    instrument_uid: str
    quantity_unit: str | None
    base_unit: str | None
    quote_unit: str | None
    contract_size: str | None
    first_time: int | None
    last_time: int | None
    complete_until: int | None
    known_until: int | None = None

    def told_until(self, length: int) -> int:
        """Return the end of the newest slot of so many ms that is told of, or 0."""
        newest_end = 0 if self.last_time is None else self.last_time // length * length + length
        return max(newest_end, self.known_until or 0)


class Bar(NamedTuple):
    """One candle of `gold.ohlcv`, or a minute without prints where gaps are filled.

    Prices are null in a bar of off-book prints alone, and in one of an unknown stretch. `volume`
    is in the series' quantity unit.
    """

    bar_start: int
    bar_end: int
    open: str | None
    high: str | None
    low: str | None
    close: str | None
    volume: str
    base_volume: str
    quote_volume: str
    trade_count: int
    taker_buy_volume: str
    taker_buy_base_volume: str
    taker_buy_quote_volume: str
    first_trade_seq: int | None
    last_trade_seq: int | None
    built_from: str
    is_complete: bool
    is_filled: bool
    knowledge_us: int | None
    revision: int


class Run(NamedTuple):
    """A stretch `[from_time, until_time)` of whole bars of one interval without prints.

    `built_from` names the table whose ids prove it.
    """

    from_time: int
    until_time: int
    state: RunState
    built_from: str = "trades"


class RenderedBars(NamedTuple):
    """Bars as JSON objects parted by commas, and where the next one starts, None at the end.

    An object tells time (the bar's start, ms), open, high, low, close, volume, base_volume,
    quote_volume, trade_count, is_complete and is_filled, in this order; decimals are exact text.
    """

    content: bytes
    count: int  # type: ignore[assignment]
    next_start: int | None


class IndexPrice(NamedTuple):
    """The price of an index at the end of the minute that starts at `minute`."""

    minute: int
    price: str
    price_time_us: int
    timestamp_source: str
    price_source: str


class Trade(NamedTuple):
    """One print. `trade_time_us` is UTC; `taker_side` is buy or sell."""

    trade_seq: int
    trade_id: str
    trade_time_us: int
    price: str
    quantity: str
    quote_quantity: str
    taker_side: str
    print_kind: str


class Listing(NamedTuple):
    """One row of `silver.instruments`: what a listing was from `valid_from` to `valid_to`."""

    exchange: str
    kind: str
    instrument: str
    instrument_uid: str
    valid_from: int
    valid_to: int | None
    status: str
    direction: str
    base_unit: str | None
    quote_unit: str | None
    settlement_unit: str | None
    quantity_unit: str | None
    contract_size: str | None
    tick_size: str | None
    lot_size: str | None
    strike: str | None
    option_type: str | None
    expiry: int | None
    listed_at: int | None
    delisted_at: int | None


class Stretch(NamedTuple):
    """One row of `ops.continuity`: a run of ids held, or a hole with its cause and state."""

    dataset: str
    entry: str
    first_id: int
    last_id: int
    proved_from: int
    proved_until: int
    cause: str | None
    state: str


class Certificate(NamedTuple):
    """One row of `ops.reconciliation`, newest first where many are asked for."""

    run_id: str
    check_name: str
    dataset: str | None
    bar_interval: str
    left_side: str | None
    right_side: str | None
    window_start: int
    window_end: int
    left_rows: int | None
    right_rows: int | None
    matched: int | None
    compared: int
    equal: int
    equal_after_rounding: int
    not_derivable: int
    different: int
    only_left: int
    only_right: int
    unexplained: int
    undetermined: int | None
    causes: dict[str, int]
    left_hash: str | None
    right_hash: str | None
    checked_at: int


class Publication(NamedTuple):
    """The newest publication that is visible: its number, and when it was committed."""

    number: int
    published_at: int
