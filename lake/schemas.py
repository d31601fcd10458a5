"""The schema of every table: names, types and units, the contract that all layers share."""

from __future__ import annotations

from pyspark.sql import types as T  # noqa: N812 - the name the Spark world uses

PRICE = T.DecimalType(20, 10)
QUANTITY = T.DecimalType(28, 8)
#: Quotes, sums, and the only rounded values (divisions, to scale 18, half up).
AMOUNT = T.DecimalType(38, 18)


def _required(name: str, kind: T.DataType) -> T.StructField:
    return T.StructField(name, kind, nullable=False)


def _optional(name: str, kind: T.DataType) -> T.StructField:
    return T.StructField(name, kind, nullable=True)


STRING, BIGINT, INT = T.StringType(), T.LongType(), T.IntegerType()
TIMESTAMP, BOOLEAN = T.TimestampType(), T.BooleanType()

IDENTITY = [
    _required("exchange", STRING),
    _required("kind", STRING),
    _required("instrument", STRING),
    _required("instrument_uid", STRING),
]
UNITS = [
    _optional("quantity_unit", STRING),
    _optional("base_unit", STRING),
    _optional("quote_unit", STRING),
    _optional("contract_size", PRICE),
]
DAY = [_required("year", INT), _required("month", INT), _required("day", INT)]
LINEAGE = [
    _required("end_download_timestamp", TIMESTAMP),
    _required("knowledge_timestamp", TIMESTAMP),
    _required("source", STRING),
    _required("region", STRING),
    _required("bronze_file", STRING),
    _required("bronze_line", BIGINT),
    _required("parser_version", INT),
]

#: One line of a bronze file as Spark reads it; `request` is JSON text.
ENVELOPE = T.StructType(
    [
        _optional("exchange", STRING),
        _optional("kind", STRING),
        _optional("dataset", STRING),
        _optional("instrument", STRING),
        _optional("mode", STRING),
        _optional("region", STRING),
        _optional("request", STRING),
        _optional("status", INT),
        _optional("end_download_timestamp", TIMESTAMP),
        _optional("knowledge_timestamp", TIMESTAMP),
        _optional("run_id", STRING),
        _optional("sequence", BIGINT),
        _optional("body", STRING),
        _optional("body_base64", STRING),
        _optional("packed_as", STRING),
    ]
)

#: Every trade, one row a print; price in quote per base, quantity in quantity_unit.
TRADES = T.StructType(
    [
        *IDENTITY,
        _required("trade_id", STRING),
        _required("trade_seq", BIGINT),
        _required("price", PRICE),
        _required("quantity", QUANTITY),
        _required("quote_quantity", AMOUNT),
        _optional("quote_quantity_sent", AMOUNT),
        *UNITS,
        _required("taker_side", STRING),
        _required("print_kind", STRING),
        _optional("mark_price", PRICE),
        _optional("index_price", PRICE),
        _optional("iv", PRICE),
        _optional("liquidation", STRING),
        _optional("block_trade_id", STRING),
        _optional("combo_id", STRING),
        # of both sides' orders; only frames of Binance's trade stream carried them, once
        _optional("buyer_order_id", BIGINT),
        _optional("seller_order_id", BIGINT),
        _required("trade_timestamp", TIMESTAMP),
        _required("exchange_timestamp", BIGINT),
        *LINEAGE,
        *DAY,
    ]
)

#: Binance's aggregate trades: one row stands for last_trade_seq - first_trade_seq + 1 trades.
AGG_TRADES = T.StructType(
    [
        *IDENTITY,
        _required("agg_id", BIGINT),
        _required("first_trade_seq", BIGINT),
        _required("last_trade_seq", BIGINT),
        _required("price", PRICE),
        _required("quantity", QUANTITY),
        _required("quote_quantity", AMOUNT),
        *UNITS,
        _required("taker_side", STRING),
        _required("trade_timestamp", TIMESTAMP),
        _required("exchange_timestamp", BIGINT),
        *LINEAGE,
        *DAY,
    ]
)

#: The exchange's own bars as published; `_sent` fields keep the venue's own unit and place.
KLINES = T.StructType(
    [
        *IDENTITY,
        _required("bar_interval", STRING),
        _required("open_time", TIMESTAMP),
        _required("close_time", TIMESTAMP),
        _required("open_time_sent", BIGINT),
        _optional("close_time_sent", BIGINT),
        _required("open", PRICE),
        _required("high", PRICE),
        _required("low", PRICE),
        _required("close", PRICE),
        _required("volume_sent", AMOUNT),
        _optional("quote_volume_sent", AMOUNT),
        _optional("trade_count", BIGINT),
        _optional("taker_buy_volume_sent", AMOUNT),
        _optional("taker_buy_quote_volume_sent", AMOUNT),
        _optional("ignored_sent", STRING),
        _required("is_closed", BOOLEAN),
        _required("findings", T.ArrayType(STRING, containsNull=False)),
        _required("revision", INT),
        *LINEAGE,
        *DAY,
    ]
)

#: What a listing was, from when to when; a change of contract is a new row.
INSTRUMENTS = T.StructType(
    [
        *IDENTITY,
        _required("valid_from", TIMESTAMP),
        _optional("valid_to", TIMESTAMP),
        _required("valid_from_observed", BOOLEAN),
        _required("status", STRING),
        _required("direction", STRING),
        _optional("base_unit", STRING),
        _optional("quote_unit", STRING),
        _optional("settlement_unit", STRING),
        _optional("quantity_unit", STRING),
        _optional("contract_size", PRICE),
        _optional("tick_size", PRICE),
        _optional("lot_size", PRICE),
        _optional("strike", PRICE),
        _optional("option_type", STRING),
        _optional("expiry", TIMESTAMP),
        _optional("listed_at", TIMESTAMP),
        _optional("delisted_at", TIMESTAMP),
        _optional("legs", T.ArrayType(STRING)),
        _required("attributes", STRING),
        *LINEAGE,
    ]
)

#: Null in a bar whose prints are all off-book: such prints count, but set no price.
BAR_PRICES = [_optional(name, PRICE) for name in ("open", "high", "low", "close")]
BAR_SUMS = [
    _required("volume", AMOUNT),
    _required("base_volume", AMOUNT),
    _required("quote_volume", AMOUNT),
    _required("trade_count", BIGINT),
    _required("taker_buy_volume", AMOUNT),
    _required("taker_buy_base_volume", AMOUNT),
    _required("taker_buy_quote_volume", AMOUNT),
]

#: Minute bars of each source apart: what `gold.ohlcv` chooses from and merges.
SOURCE_BARS = T.StructType(
    [
        *IDENTITY,
        _required("built_from", STRING),
        _required("bar_start", TIMESTAMP),
        *BAR_PRICES,
        *BAR_SUMS,
        *UNITS,
        _required("first_trade_seq", BIGINT),
        _required("last_trade_seq", BIGINT),
        _required("knowledge_timestamp", TIMESTAMP),
        _required("year", INT),
        _required("month", INT),
    ]
)

#: The candles: one row a bar with prints, current values; volume in quantity_unit.
OHLCV = T.StructType(
    [
        *IDENTITY,
        _required("bar_interval", STRING),
        _required("bar_start", TIMESTAMP),
        _required("bar_end", TIMESTAMP),
        *BAR_PRICES,
        *BAR_SUMS,
        *UNITS,
        _required("first_trade_seq", BIGINT),
        _required("last_trade_seq", BIGINT),
        _required("built_from", STRING),
        _required("is_complete", BOOLEAN),
        _required("knowledge_timestamp", TIMESTAMP),
        _required("revision", INT),
        _required("year", INT),
        _required("month", INT),
    ]
)

#: Every value that a bar ever had, append-only.
OHLCV_REVISIONS = T.StructType([*OHLCV.fields, _required("reason", STRING)])

#: Rows that failed a row rule, whole, with the reasons; never dropped.
QUARANTINE = T.StructType(
    [
        _required("dataset", STRING),
        _optional("exchange", STRING),
        _optional("kind", STRING),
        _optional("instrument", STRING),
        _required("reasons", T.ArrayType(STRING, containsNull=False)),
        _required("payload", STRING),
        _required("bronze_file", STRING),
        _required("bronze_line", BIGINT),
        _required("row_position", INT),
        _required("parser_version", INT),
        _required("run_id", STRING),
        _required("quarantined_at", TIMESTAMP),
        _required("state", STRING),
    ]
)

#: Runs of ids held, and the holes between them with cause and state.
CONTINUITY = T.StructType(
    [
        *IDENTITY,
        _required("dataset", STRING),
        _required("entry", STRING),
        _required("first_id", BIGINT),
        _required("last_id", BIGINT),
        _optional("first_trade_seq", BIGINT),
        _optional("last_trade_seq", BIGINT),
        _required("proved_from", TIMESTAMP),
        _required("proved_until", TIMESTAMP),
        _optional("cause", STRING),
        _required("state", STRING),
    ]
)

#: A later sighting of rows that were held already, from another source.
SIGHTINGS = T.StructType(
    [
        *IDENTITY,
        _required("dataset", STRING),
        _required("source", STRING),
        _required("region", STRING),
        _required("first_id", BIGINT),
        _required("last_id", BIGINT),
        _required("rows", BIGINT),
        _required("bronze_file", STRING),
        _required("knowledge_timestamp", TIMESTAMP),
    ]
)

#: A second sighting that differs from the row held: whole, until it is decided.
CONFLICTS = T.StructType(
    [
        *IDENTITY,
        _required("dataset", STRING),
        _required("id", BIGINT),
        _required("bar_minute", TIMESTAMP),
        _required("differing", T.ArrayType(STRING, containsNull=False)),
        _required("held", STRING),
        _required("seen", STRING),
        _required("held_bronze_file", STRING),
        _required("seen_bronze_file", STRING),
        _required("seen_bronze_line", BIGINT),
        _required("knowledge_timestamp", TIMESTAMP),
        _required("state", STRING),
    ]
)

#: Prints whose place a decided correction has given to another row: whole, and since when.
REPLACED_TRADES = T.StructType([*TRADES.fields, _required("replaced_at", TIMESTAMP)])
REPLACED_AGG_TRADES = T.StructType([*AGG_TRADES.fields, _required("replaced_at", TIMESTAMP)])

#: One row an expectation and attempt.
GATE_RESULTS = T.StructType(
    [
        _required("run_id", STRING),
        _required("table_name", STRING),
        _required("batch_id", BIGINT),
        _required("attempt", INT),
        _required("expectation", STRING),
        _required("success", BOOLEAN),
        _required("severity", STRING),
        _optional("observed", STRING),
        _required("rows", BIGINT),
        _required("rejected_rows", BIGINT),
        _required("checked_at", TIMESTAMP),
    ]
)

#: One row a job run.
RUNS = T.StructType(
    [
        _required("run_id", STRING),
        _required("job", STRING),
        _required("environment", STRING),
        _required("started_at", TIMESTAMP),
        _required("ended_at", TIMESTAMP),
        _required("exit_code", INT),
        _required("rows", T.MapType(STRING, BIGINT, valueContainsNull=False)),
        _optional("message", STRING),
        _optional("code_version", STRING),
    ]
)

#: Until when each table is complete, per instrument: what consumers wait on.
WATERMARKS = T.StructType(
    [
        *IDENTITY[:3],
        _required("table_name", STRING),
        _required("complete_until", TIMESTAMP),
        _required("updated_at", TIMESTAMP),
    ]
)
