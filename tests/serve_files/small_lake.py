"""A lake of a few bars and trades, written as Delta tables; names and values are the odd ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake
from pyspark.sql.pandas.types import to_arrow_schema

from lake.objects import ObjectStore, open_store
from lake.tables import (
    GOLD_OHLCV,
    GOLD_OHLCV_REVISIONS,
    SILVER_INSTRUMENTS,
    SILVER_TRADES,
    Table,
)

MINUTE = timedelta(minutes=1)
START = datetime(2024, 1, 31, 23, 58, tzinfo=UTC)
LOADED = datetime(2026, 1, 1, tzinfo=UTC)
UNITS = {"quantity_unit": "BTC", "base_unit": "BTC", "quote_unit": "USDT"}


def bar(minute: int, close: str | None, **named: Any) -> dict[str, Any]:
    """Return a row of `gold.ohlcv`: a minute that begins so many after `START`."""
    start = START + minute * MINUTE
    price = Decimal(close) if close is not None else None
    amount = Decimal("1.5") + minute
    amounts = ("volume", "base_volume", "quote_volume")
    taken = ("taker_buy_volume", "taker_buy_base_volume", "taker_buy_quote_volume")
    return {
        "exchange": "binance",
        "kind": "spot",
        "instrument": "BTCUSDT",
        "instrument_uid": named.get("instrument", "BTCUSDT"),
        "bar_interval": "1m",
        "bar_start": start,
        "bar_end": start + MINUTE,
        **dict.fromkeys(("open", "high", "low", "close"), price),
        **dict.fromkeys(amounts, amount),
        **dict.fromkeys(taken, Decimal(0)),
        **UNITS,
        "contract_size": None,
        "trade_count": 7,
        "first_trade_seq": 1,
        "last_trade_seq": 7,
        "built_from": "trades",
        "is_complete": True,
        "knowledge_timestamp": LOADED,
        "revision": 0,
        "year": start.year,
        "month": start.month,
        **named,
    }


def trade(seq: int, micros: int, price: str, **named: Any) -> dict[str, Any]:
    """Return a row of `silver.trades`: so many microseconds after `START`."""
    time = START + timedelta(microseconds=micros)
    nothing = (
        *("quote_quantity_sent", "contract_size", "mark_price", "index_price", "iv", "liquidation"),
        *("block_trade_id", "combo_id", "buyer_order_id", "seller_order_id"),
    )
    return {
        "exchange": "binance",
        "kind": "spot",
        "instrument": "BTCUSDT",
        "instrument_uid": named.get("instrument", "BTCUSDT"),
        "trade_id": str(seq),
        "trade_seq": seq,
        "price": Decimal(price),
        "quantity": Decimal("0.00000001"),
        "quote_quantity": Decimal(price).scaleb(-8),
        **UNITS,
        **dict.fromkeys(nothing),
        "taker_side": "sell",
        "print_kind": "book",
        "trade_timestamp": time,
        "exchange_timestamp": 0,
        "end_download_timestamp": LOADED,
        "knowledge_timestamp": LOADED,
        "source": "history",
        "region": "local",
        "bronze_file": "file",
        "bronze_line": seq,
        "parser_version": 1,
        "year": time.year,
        "month": time.month,
        "day": time.day,
        **named,
    }


def listing(instrument: str, **named: Any) -> dict[str, Any]:
    """Return a row of `silver.instruments`."""
    known: dict[str, Any] = {field.name: None for field in SILVER_INSTRUMENTS.schema}
    known |= dict.fromkeys(("end_download_timestamp", "knowledge_timestamp"), LOADED)
    known |= {"exchange": "binance", "kind": "spot", "instrument": instrument}
    known |= {"instrument_uid": instrument, "valid_from": LOADED, "valid_from_observed": True}
    known |= {"status": "TRADING", "direction": "linear", "attributes": "{}", "source": "history"}
    known |= {"region": "local", "bronze_file": "file", "bronze_line": 1, "parser_version": 1}
    known |= {"base_unit": "BTC", "quote_unit": "USDT", "tick_size": Decimal("0.01")}
    return {**known, "lot_size": Decimal("0.00001"), **named}


def written(root: Path, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as a table of the registry; files carry the statistics that the log keeps."""
    schema = to_arrow_schema(table.schema)
    write_deltalake(
        root / table.path,
        pa.Table.from_pylist(list(rows), schema),
        mode="append",
        partition_by=list(table.partitions),
    )


def small_lake(root: Path) -> ObjectStore:
    """Make the lake: bars over the end of a month, and prints of which some lie beside the book."""
    bars = [
        *(bar(minute, f"42283.5{minute}") for minute in (3, 1, 0)),
        bar(4, "0.0000000001", is_complete=False),
        bar(2, None),
        bar(0, "1", bar_interval="5m"),
        *(bar(minute, "0.07", instrument="ETH/BTC~.", kind="future") for minute in (0, 1)),
    ]
    written(root, GOLD_OHLCV, bars)
    early = {"knowledge_timestamp": START + MINUTE, "reason": "first"}
    revised = {"knowledge_timestamp": LOADED, "revision": 1, "reason": "trades"}
    changed = [bar(0, "1", **early), bar(0, "42283.50", **revised), bar(1, "2", **early)]
    written(root, GOLD_OHLCV_REVISIONS, changed)
    prints = [
        trade(3, 90_000_000, "42283.59", taker_side="buy"),
        trade(1, 5, "42283.58"),
        trade(2, 5, "42283.57"),
        trade(4, 100_000_000, "42000", print_kind="block"),
        trade(5, 120_000_000, "42283.6"),
    ]
    written(root, SILVER_TRADES, prints)
    odd = listing("ETH/BTC~.", kind="future", base_unit="ETH", quote_unit="BTC")
    perpetual = {**odd, "settlement_unit": "BTC"}
    written(root, SILVER_INSTRUMENTS, [listing("BTCUSDT"), perpetual])
    return open_store(str(root))
