"""The schema of index prices: one a minute of each index and source."""

from __future__ import annotations

from pyspark.sql import types as T  # noqa: N812

from lake.schemas import DAY, IDENTITY, LINEAGE, PRICE

STRING, BIGINT, TIMESTAMP = T.StringType(), T.LongType(), T.TimestampType()


def _required(name: str, kind: T.DataType) -> T.StructField:
    return T.StructField(name, kind, nullable=False)


#: `minute` is the start of the minute at whose end the price stood; `price` in the index's quote
#: unit. `exchange_timestamp` is as sent: ms of the channel, µs of a server's answer; the same in
#: UTC is `price_timestamp`. `price_source` is the venue's own name of the method or channel.
INDEX_PRICES = T.StructType(
    [
        *IDENTITY,
        _required("minute", TIMESTAMP),
        _required("price", PRICE),
        T.StructField("estimated_delivery_price", PRICE, nullable=True),
        _required("price_timestamp", TIMESTAMP),
        _required("exchange_timestamp", BIGINT),
        _required("timestamp_source", STRING),
        _required("price_source", STRING),
        *LINEAGE,
        *DAY,
    ]
)
