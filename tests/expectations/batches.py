"""Builders of small batches: one good row of each table, and rows that differ from it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T  # noqa: N812

from lake import schemas

CHECKED_AT = datetime(2024, 1, 3, tzinfo=UTC)
TRADED_AT = datetime(2024, 1, 1, 23, 59, 59, 999000, tzinfo=UTC)
DOWNLOADED_AT = datetime(2024, 1, 2, 0, 0, 1, tzinfo=UTC)
PERSISTED_AT = datetime(2024, 1, 2, 0, 0, 2, tzinfo=UTC)

IDENTITY: dict[str, Any] = {
    "exchange": "binance",
    "kind": "spot",
    "instrument": "BTCUSDT",
    "instrument_uid": "BTCUSDT",
}
UNITS: dict[str, Any] = {
    "quantity_unit": "BTC",
    "base_unit": "BTC",
    "quote_unit": "USDT",
    "contract_size": Decimal(1),
}
LINEAGE: dict[str, Any] = {
    "end_download_timestamp": DOWNLOADED_AT,
    "knowledge_timestamp": PERSISTED_AT,
    "source": "history",
    "region": "local",
    "bronze_file": "BTCUSDT~history.ndjson.gz",
    "bronze_line": 1,
    "parser_version": 1,
}
DAY: dict[str, Any] = {"year": 2024, "month": 1, "day": 1}
PRINT: dict[str, Any] = {
    "price": Decimal("42283.58"),
    "quantity": Decimal("0.5"),
    "quote_quantity": Decimal("21141.79"),
    "taker_side": "buy",
    "trade_timestamp": TRADED_AT,
    "exchange_timestamp": 1704153599999,
}

TRADE = {
    **IDENTITY,
    **UNITS,
    **LINEAGE,
    **DAY,
    **PRINT,
    "trade_id": "7",
    "trade_seq": 7,
    "print_kind": "book",
}
AGG_TRADE = {
    **IDENTITY,
    **UNITS,
    **LINEAGE,
    **DAY,
    **PRINT,
    "agg_id": 3,
    "first_trade_seq": 7,
    "last_trade_seq": 9,
}
KLINE = {
    **IDENTITY,
    **LINEAGE,
    **DAY,
    "bar_interval": "1m",
    "open_time": datetime(2024, 1, 1, 23, 59, tzinfo=UTC),
    "close_time": TRADED_AT,
    "open_time_sent": 1704153540000,
    "close_time_sent": 1704153599999,
    "open": Decimal(10),
    "high": Decimal(12),
    "low": Decimal(9),
    "close": Decimal(11),
    "volume_sent": Decimal(5),
    "quote_volume_sent": Decimal(50),
    "trade_count": 3,
    "taker_buy_volume_sent": Decimal(2),
    "taker_buy_quote_volume_sent": Decimal(20),
    "is_closed": True,
    "findings": [],
    "revision": 0,
}
INSTRUMENT = {
    **IDENTITY,
    **LINEAGE,
    "valid_from": datetime(2024, 1, 1, tzinfo=UTC),
    "valid_to": datetime(2024, 1, 2, tzinfo=UTC),
    "valid_from_observed": True,
    "status": "TRADING",
    "direction": "linear",
    "tick_size": Decimal("0.01"),
    "attributes": "{}",
}
CANDLE = {
    **IDENTITY,
    **UNITS,
    "bar_interval": "5m",
    "bar_start": datetime(2024, 1, 1, 23, 55, tzinfo=UTC),
    "bar_end": datetime(2024, 1, 2, tzinfo=UTC),
    "open": Decimal(10),
    "high": Decimal(12),
    "low": Decimal(9),
    "close": Decimal(11),
    "volume": Decimal(5),
    "base_volume": Decimal(5),
    "quote_volume": Decimal(50),
    "trade_count": 3,
    "taker_buy_volume": Decimal(2),
    "taker_buy_base_volume": Decimal(2),
    "taker_buy_quote_volume": Decimal(20),
    "first_trade_seq": 7,
    "last_trade_seq": 9,
    "built_from": "trades",
    "is_complete": True,
    "knowledge_timestamp": PERSISTED_AT,
    "revision": 0,
    "year": 2024,
    "month": 1,
}
INFORMATION_BAR = {
    **{name: value for name, value in CANDLE.items() if name not in ("bar_interval", "revision")},
    "bar_type": "dollar",
    "threshold": Decimal(50),
    "bar_date": date(2024, 1, 1),
    "bar_number": 3,
    "bar_end": TRADED_AT,
    "is_last_of_day": True,
}
FUNDING = {
    **IDENTITY,
    **LINEAGE,
    **DAY,
    "funding_timestamp": datetime(2024, 1, 1, 16, 0, 0, 3000, tzinfo=UTC),
    "exchange_timestamp": 1704124800003,
    "funding_rate": Decimal("0.0001"),
    "funding_interval_hours": 8,
    "mark_price": Decimal(42000),
    "revision": 0,
}
SETTLEMENT = {
    **IDENTITY,
    "settlement_timestamp": datetime(2024, 1, 1, 16, tzinfo=UTC),
    "funding_rate": Decimal("0.0001"),
    "funding_interval_hours": 8,
    "interval_is": "published",
    "exchange_timestamp": 1704124800003,
    "source": "history",
    "is_disputed": False,
    "knowledge_timestamp": PERSISTED_AT,
    "year": 2024,
    "month": 1,
}
INDEX_PRICE = {
    **LINEAGE,
    **DAY,
    "exchange": "deribit",
    "kind": "index",
    "instrument": "btc_usd",
    "instrument_uid": "btc_usd",
    "minute": datetime(2024, 1, 1, 23, 59, tzinfo=UTC),
    "price": Decimal("42283.58"),
    "estimated_delivery_price": Decimal("42283.58"),
    "price_timestamp": datetime(2024, 1, 2, 0, 0, 0, 500000, tzinfo=UTC),
    "exchange_timestamp": 1704153600500000,
    "timestamp_source": "server_answer_time",
    "price_source": "get_index_price",
}
MARK_BAR = {name: value for name, value in KLINE.items() if "volume" not in name}
MARK_CANDLE = {
    **{name: CANDLE[name] for name in (*IDENTITY, "bar_interval", "bar_start", "bar_end")},
    **{name: CANDLE[name] for name in ("open", "high", "low", "close", "knowledge_timestamp")},
    "minutes": 5,
    "source": "history",
    "is_complete": True,
    "is_disputed": False,
    "year": 2024,
    "month": 1,
}
ENVELOPE = {
    **{name: IDENTITY[name] for name in ("exchange", "kind", "instrument")},
    "dataset": "agg_trades",
    "mode": "history",
    "region": "local",
    "request": "{}",
    "status": 200,
    "end_download_timestamp": DOWNLOADED_AT,
    "knowledge_timestamp": PERSISTED_AT,
    "run_id": "run-1",
    "sequence": 1,
    "body": "[]",
    "bronze_file": "BTCUSDT~history.ndjson.gz",
    "faults": [],
}
READ_ENVELOPE = T.StructType(
    [
        *schemas.ENVELOPE.fields,
        T.StructField("bronze_file", T.StringType()),
        T.StructField("faults", T.ArrayType(T.StringType())),
    ]
)


def frame(
    spark: SparkSession, schema: T.StructType, *rows: Mapping[str, Any], **changes: Any
) -> DataFrame:
    """Return rows as a frame of a schema with all columns nullable, as candidates are."""
    nullable = T.StructType([T.StructField(field.name, field.dataType) for field in schema.fields])
    filled = [[{**row, **changes}.get(name) for name in schema.fieldNames()] for row in rows]
    return spark.createDataFrame(filled, nullable)
