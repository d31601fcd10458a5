"""The schema of bars that close by what was traded, not by the clock."""

from __future__ import annotations

from pyspark.sql import types as T  # noqa: N812

from lake.schemas import AMOUNT, BAR_PRICES, BAR_SUMS, IDENTITY, UNITS

STRING, BIGINT, INT = T.StringType(), T.LongType(), T.IntegerType()
TIMESTAMP, BOOLEAN, DATE = T.TimestampType(), T.BooleanType(), T.DateType()


def _required(name: str, kind: T.DataType) -> T.StructField:
    return T.StructField(name, kind, nullable=False)


#: One row a bar of a series (`bar_type`, `threshold`) and UTC day, numbered from 1 in each day.
#: `bar_start` and `bar_end` are the earliest and the latest time of its prints, both within it.
INFORMATION_BARS = T.StructType(
    [
        *IDENTITY,
        _required("bar_type", STRING),
        _required("threshold", AMOUNT),
        _required("bar_date", DATE),
        _required("bar_number", INT),
        _required("bar_start", TIMESTAMP),
        _required("bar_end", TIMESTAMP),
        *BAR_PRICES,
        *BAR_SUMS,
        *UNITS,
        _required("first_trade_seq", BIGINT),
        _required("last_trade_seq", BIGINT),
        _required("built_from", STRING),
        _required("is_complete", BOOLEAN),
        _required("is_last_of_day", BOOLEAN),
        _required("knowledge_timestamp", TIMESTAMP),
        _required("year", INT),
        _required("month", INT),
    ]
)
