"""The schemas of what only perpetuals have: funding rates, and bars of their mark price."""

from __future__ import annotations

from pyspark.sql import types as T  # noqa: N812

from lake.schemas import DAY, IDENTITY, KLINES, LINEAGE, PRICE

#: A rate is a share of the position's value: 0.0001 is 0.01 %. Deribit sends seventeen digits
#: behind as many as fifteen zeros.
RATE = T.DecimalType(38, 34)

STRING, BIGINT, INT = T.StringType(), T.LongType(), T.IntegerType()
TIMESTAMP, BOOLEAN = T.TimestampType(), T.BooleanType()


def _required(name: str, kind: T.DataType) -> T.StructField:
    return T.StructField(name, kind, nullable=False)


def _optional(name: str, kind: T.DataType) -> T.StructField:
    return T.StructField(name, kind, nullable=True)


#: What an exchange published of a settlement. Positive: longs pay shorts. `funding_rate` is for
#: `funding_interval_hours`, null where the exchange does not say. `funding_rate_8h`: Deribit's own.
FUNDING_RATES = T.StructType(
    [
        *IDENTITY,
        _required("funding_timestamp", TIMESTAMP),
        _required("exchange_timestamp", BIGINT),
        _required("funding_rate", RATE),
        _optional("funding_rate_8h", RATE),
        _optional("funding_interval_hours", INT),
        _optional("mark_price", PRICE),
        _optional("index_price", PRICE),
        _optional("previous_index_price", PRICE),
        _optional("rate_type", STRING),
        _required("revision", INT),
        *LINEAGE,
        *DAY,
    ]
)

_OF_TRADES = {
    "volume_sent",
    "quote_volume_sent",
    "trade_count",
    "taker_buy_volume_sent",
    "taker_buy_quote_volume_sent",
    "ignored_sent",
}
#: Bars of the mark price as published: `silver.klines` without what needs a trade.
MARK_KLINES = T.StructType([field for field in KLINES.fields if field.name not in _OF_TRADES])

#: One row a settlement, current values; `settlement_timestamp` is the exchange's moment on the
#: minute. `interval_is`: `published`, `derived` from the settlement before, or null as the hours.
SETTLEMENTS = T.StructType(
    [
        *IDENTITY,
        _required("settlement_timestamp", TIMESTAMP),
        _required("funding_rate", RATE),
        _optional("funding_rate_8h", RATE),
        _optional("funding_interval_hours", INT),
        _optional("interval_is", STRING),
        _optional("mark_price", PRICE),
        _optional("index_price", PRICE),
        _optional("rate_type", STRING),
        _required("exchange_timestamp", BIGINT),
        _required("source", STRING),
        _required("is_disputed", BOOLEAN),
        _required("knowledge_timestamp", TIMESTAMP),
        _required("year", INT),
        _required("month", INT),
    ]
)

#: Candles of the mark price: exact merges of the exchange's own minutes, of which `minutes` are
#: held; complete where none is missing.
MARK_OHLCV = T.StructType(
    [
        *IDENTITY,
        _required("bar_interval", STRING),
        _required("bar_start", TIMESTAMP),
        _required("bar_end", TIMESTAMP),
        _required("open", PRICE),
        _required("high", PRICE),
        _required("low", PRICE),
        _required("close", PRICE),
        _required("minutes", INT),
        _required("source", STRING),
        _required("is_complete", BOOLEAN),
        _required("is_disputed", BOOLEAN),
        _required("knowledge_timestamp", TIMESTAMP),
        _required("year", INT),
        _required("month", INT),
    ]
)
