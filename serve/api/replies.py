"""What the answers look like, for the description at /openapi.json: nothing is built of these."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Millis = Annotated[int, Field(description="UNIX time in ms, UTC.")]
Micros = Annotated[int, Field(description="UNIX time in µs, UTC.")]
Decimal = Annotated[str, Field(pattern=r"^-?\d+(\.\d+)?$", description="An exact decimal.")]
NextCursor = Annotated[
    str | None, Field(description="`cursor` of the next page; null on the last.")
]
Interval = Literal["1m", "5m", "15m", "1h", "4h", "1d"]


class BarRow(BaseModel):
    """A candle `[bar_start, bar_end)`; `time` is the end that `label` names."""

    time: Millis | None = None
    bar_start: Millis | None = None
    bar_end: Millis | None = None
    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    close: Decimal | None = None
    volume: Decimal | None = Field(None, description="In the series' quantity unit.")
    base_volume: Decimal | None = None
    quote_volume: Decimal | None = None
    trade_count: int | None = None
    taker_buy_volume: Decimal | None = None
    taker_buy_base_volume: Decimal | None = None
    taker_buy_quote_volume: Decimal | None = None
    first_trade_seq: int | None = None
    last_trade_seq: int | None = None
    built_from: str | None = None
    is_complete: bool | None = None
    is_filled: bool | None = None
    knowledge_us: Micros | None = None
    revision: int | None = None


class SeriesHead(BaseModel):
    """Which series an answer is of."""

    exchange: str
    kind: str
    instrument: str
    complete_until: Millis | None


class OhlcvReply(SeriesHead):
    """Candles."""

    interval: Interval
    label: Literal["start", "end"]
    filled: bool
    publication: int
    columns: list[str]
    bars: list[BarRow]
    next_cursor: NextCursor


class PriceRow(BaseModel):
    """The price of an index at the end of a minute; `time` is the minute's start."""

    time: Millis
    price: Decimal
    price_time_us: Micros
    timestamp_source: str
    price_source: str


class TickerHead(SeriesHead):
    """Which ticker an answer is of, and what it has: bars, or prices of an index."""

    series_type: Literal["bars", "index"]
    interval: Literal["1m"]
    publication: int


class HistoryReply(TickerHead):
    """The history of a ticker: `bars` of an instrument, `prices` of an index."""

    columns: list[str]
    bars: list[BarRow] | None = None
    prices: list[PriceRow] | None = None
    next_cursor: NextCursor


class LatestReply(TickerHead):
    """The newest row of a ticker: the `bar` of an instrument, the `price` of an index."""

    bar: BarRow | None = None
    price: PriceRow | None = None


class TradeRow(BaseModel):
    """One print."""

    time: Millis
    trade_time_us: Micros
    trade_seq: int
    trade_id: str
    price: Decimal
    quantity: Decimal
    quote_quantity: Decimal
    taker_side: Literal["buy", "sell"]
    print_kind: str


class TradesReply(SeriesHead):
    """Trades of the days that were published."""

    publication: int
    trades: list[TradeRow]
    next_cursor: NextCursor


class InstrumentRow(BaseModel):
    """One series."""

    exchange: str
    kind: str
    instrument: str
    series_type: Literal["bars", "index"]
    quantity_unit: str | None
    base_unit: str | None
    quote_unit: str | None
    first_time: Millis | None
    last_time: Millis | None
    complete_until: Millis | None
    intervals: list[Interval]


class InstrumentsReply(BaseModel):
    """Series, the nearest to a search first."""

    instruments: list[InstrumentRow]
    next_cursor: NextCursor


class ListingRow(BaseModel):
    """What a listing was from `valid_from` to `valid_to`."""

    exchange: str
    kind: str
    instrument: str
    instrument_uid: str
    valid_from: Millis
    valid_to: Millis | None
    status: str
    direction: str
    base_unit: str | None
    quote_unit: str | None
    settlement_unit: str | None
    quantity_unit: str | None
    contract_size: Decimal | None
    tick_size: Decimal | None
    lot_size: Decimal | None
    strike: Decimal | None
    option_type: str | None
    expiry: Millis | None
    listed_at: Millis | None
    delisted_at: Millis | None


class ListingsReply(BaseModel):
    """Rows of `silver.instruments`."""

    listings: list[ListingRow]
    next_cursor: NextCursor


class DayRow(BaseModel):
    """A UTC day: how many minutes are complete, with prints or quiet, of those expected."""

    day: Millis
    complete_bars: int
    expected: int


class HoleRow(BaseModel):
    """A hole of the ledger: ids that are not held, `[from, until)` in ms."""

    model_config = ConfigDict(populate_by_name=True)

    dataset: str
    first_id: int
    last_id: int
    from_: Millis = Field(alias="from")
    until: Millis
    cause: str | None
    state: str


class CoverageReply(SeriesHead):
    """What is held of a series."""

    days: list[DayRow]
    holes: list[HoleRow]


class CertificateRow(BaseModel):
    """One row of `ops.reconciliation`."""

    run_id: str
    check_name: str
    dataset: str | None
    bar_interval: str
    left_side: str | None
    right_side: str | None
    window_start: Millis
    window_end: Millis
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
    checked_at: Millis


class CertificatesReply(BaseModel):
    """Certificates, the newest check first."""

    certificates: list[CertificateRow]
    next_cursor: NextCursor


class PartReply(BaseModel):
    """How one part of the service fares."""

    status: Literal["ok", "ill"]
    detail: str


class HealthReply(BaseModel):
    """How the service fares, part by part."""

    status: Literal["ok", "ill"]
    publication: int | None
    published_at: Millis | None
    parts: dict[str, PartReply]
