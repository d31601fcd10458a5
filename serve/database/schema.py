"""The tables of the serving database, alike in PostgreSQL and in SQLite.

Times are BIGINT UNIX milliseconds, those that end in `_us` microseconds. Decimals are exact:
NUMERIC in PostgreSQL, text in SQLite, in both as they are written in plain notation without
trailing zeros.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

METADATA = MetaData()
EXACT: TypeEngine[str] = Text().with_variant(Numeric(), "postgresql")
#: The decimals of a bar: prices, null in a bar of off-book prints alone, and sums.
PRICES = ("open", "high", "low", "close")
SUMS = (
    *("volume", "base_volume", "quote_volume"),
    *("taker_buy_volume", "taker_buy_base_volume", "taker_buy_quote_volume"),
)
IDENTITY = ("exchange", "kind", "instrument", "instrument_uid")


def _table(name: str, key: tuple[str, ...], *columns: SchemaItem) -> Table:
    return Table(name, METADATA, *columns, PrimaryKeyConstraint(*key, name=f"{name}_key"))


def _big(*names: str, null: bool = False) -> list[SchemaItem]:
    return [Column(name, BigInteger, nullable=null, autoincrement=False) for name in names]


def _texts(*names: str, null: bool = False) -> list[SchemaItem]:
    return [Column(name, Text, nullable=null) for name in names]


def _exact(*names: str, null: bool = False) -> list[SchemaItem]:
    return [Column(name, EXACT, nullable=null) for name in names]


def _number(name: str, kind: type[Integer] = Integer) -> Column[int]:
    return Column(name, kind, nullable=False, autoincrement=False)


def _bar_columns() -> list[SchemaItem]:
    """Return a bar's columns, widest first: PostgreSQL need not pad its rows then."""
    return [
        *_big("bar_start", "trade_count", "first_trade_seq", "last_trade_seq", "knowledge_us"),
        _number("series_id"),
        _number("revision"),
        _number("bar_minutes", SmallInteger),
        Column("is_complete", Boolean, nullable=False),
        *_texts("built_from"),
        *_exact(*PRICES, null=True),
        *_exact(*SUMS),
    ]


BAR = ("series_id", "bar_minutes", "bar_start")
#: A publication was made in one transaction: it became visible whole, with this row.
PUBLICATIONS = _table(
    "publications",
    ("number",),
    Column("number", Integer, Identity(), nullable=False),
    *_big("published_at"),
    *_texts("run_id"),
    *_big("bars", "index_prices", "trades"),
)
#: Up to which of its versions a publication has read each table of the lake.
SOURCES = _table(
    "sources", ("number", "table_name"), _number("number"), *_texts("table_name"), *_big("version")
)
#: Every minute that ends by `complete_until` is proved: its bar is complete, or it is quiet. Bars,
#: quiet and unknown stretches are told up to `known_until`, the mark of the lake.
SERIES = Table(
    "series",
    METADATA,
    Column("series_id", Integer, Identity(), nullable=False),
    *_texts("series_type", *IDENTITY),
    *_texts("quantity_unit", "base_unit", "quote_unit", null=True),
    *_exact("contract_size", null=True),
    *_big("first_time", "last_time", "complete_until", "known_until", null=True),
    PrimaryKeyConstraint("series_id", name="series_key"),
    UniqueConstraint("series_type", "exchange", "kind", "instrument_uid", name="series_identity"),
)
#: Which bars of a series are held: every value that `gold.ohlcv_revisions` has up to a version,
#: of bars that end by `bars_until`; `runs_of` names the versions that its runs follow from.
POSITIONS = _table(
    "positions",
    ("series_id", "bar_minutes"),
    _number("series_id"),
    _number("bar_minutes", SmallInteger),
    *_big("version", "bars_until"),
    *_texts("runs_of"),
)
BARS = _table("bars", BAR, *_bar_columns())
#: Values whose place a later revision has taken: with `bars`, all that was ever known.
SUPERSEDED_BARS = _table("superseded_bars", (*BAR, "revision"), *_bar_columns())
#: The rows of `bars` as the API writes them, 48 bars' length a block, packed.
BAR_BLOCKS = _table(
    "bar_blocks",
    ("series_id", "bar_minutes", "block"),
    *_big("block"),
    _number("series_id"),
    _number("text_bytes"),
    _number("bar_minutes", SmallInteger),
    _number("bars", SmallInteger),
    Column("content", LargeBinary, nullable=False),
)
#: How many bars of each UTC day there are, and how many of them are complete.
BAR_DAYS = _table(
    "bar_days",
    ("series_id", "bar_minutes", "day"),
    *_big("day"),
    _number("series_id"),
    _number("bar_minutes", SmallInteger),
    _number("bars"),
    _number("complete_bars"),
)
#: Stretches of whole bars without prints: proved quiet, or unknown.
RUNS = _table(
    "runs",
    ("series_id", "bar_minutes", "from_time"),
    *_big("from_time", "until_time"),
    _number("series_id"),
    _number("bar_minutes", SmallInteger),
    *_texts("state", "built_from"),
)
INDEX_PRICES = _table(
    "index_prices",
    ("series_id", "minute"),
    *_big("minute", "price_time_us"),
    _number("series_id"),
    *_exact("price"),
    *_texts("timestamp_source", "price_source"),
)
#: Of which days all trades are held, and from which table of the lake.
TRADE_DAYS = _table(
    "trade_days",
    ("series_id", "day"),
    *_big("day", "version", "trades"),
    _number("series_id"),
    *_texts("table_name"),
)
TRADES = _table(
    "trades",
    ("series_id", "trade_seq"),
    *_big("trade_seq", "trade_time_us"),
    _number("series_id"),
    *_texts("trade_id"),
    *_exact("price", "quantity", "quote_quantity"),
    *_texts("taker_side", "print_kind"),
)
Index("trades_by_time", TRADES.c.series_id, TRADES.c.trade_time_us)
LISTINGS = _table(
    "listings",
    ("exchange", "kind", "instrument_uid", "valid_from"),
    *_texts(*IDENTITY),
    *_big("valid_from"),
    *_big("valid_to", "expiry", "listed_at", "delisted_at", null=True),
    *_texts("status", "direction"),
    *_texts("base_unit", "quote_unit", "settlement_unit", "quantity_unit", null=True),
    *_exact("contract_size", "tick_size", "lot_size", "strike", null=True),
    *_texts("option_type", null=True),
)
STRETCHES = _table(
    "stretches",
    ("exchange", "kind", "instrument_uid", "dataset", "entry", "first_id", "proved_from"),
    *_texts(*IDENTITY, "dataset", "entry"),
    *_big("first_id", "last_id", "proved_from", "proved_until"),
    *_texts("cause", null=True),
    *_texts("state"),
)
#: `causes` is a JSON object: how many differences each cause explains.
CERTIFICATES = Table(
    "certificates",
    METADATA,
    *_texts("run_id", *IDENTITY[:3], "check_name"),
    *_texts("dataset", "left_side", "right_side", "left_hash", "right_hash", null=True),
    *_texts("bar_interval"),
    *_big("window_start", "window_end", "checked_at"),
    *_big("compared", "equal", "equal_after_rounding", "not_derivable", "different"),
    *_big("only_left", "only_right", "unexplained"),
    *_big("left_rows", "right_rows", "matched", "undetermined", null=True),
    *_texts("causes"),
)
Index("certificates_of_listing", *(CERTIFICATES.c[name] for name in IDENTITY[:3]))
#: Of each run and table, how often an expectation was tried, and how often it was met.
GATE_RESULTS = _table(
    "gate_results",
    ("run_id", "table_name", "expectation"),
    *_texts("run_id", "table_name", "expectation", "severity"),
    *_big("attempts", "met", "rows", "rejected_rows", "checked_at"),
)
MARKS = _table(
    "marks",
    ("exchange", "kind", "instrument", "table_name"),
    *_texts(*IDENTITY[:3], "table_name"),
    *_big("complete_until", "updated_at"),
)
