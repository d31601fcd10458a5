"""The schemas of what a reconciliation finds: certificates, and the evidence of each difference."""

from __future__ import annotations

from pyspark.sql import types as T  # noqa: N812

from lake.schemas import BIGINT, BOOLEAN, IDENTITY, STRING, TIMESTAMP

_LISTING = IDENTITY[:3]
_COUNTS = T.MapType(STRING, BIGINT, valueContainsNull=False)


def _required(name: str, kind: T.DataType) -> T.StructField:
    return T.StructField(name, kind, nullable=False)


def _optional(name: str, kind: T.DataType) -> T.StructField:
    return T.StructField(name, kind, nullable=True)


#: One certificate: an exchange, kind, instrument, dataset, interval and window, compared once.
#: `compared` to `different` count fields; `matched`, `only_left`, `only_right` count rows;
#: `unexplained` and `undetermined` count what they are causes of. What may be null was not counted
#: by an older version.
RECONCILIATION = T.StructType(
    [
        _required("run_id", STRING),
        *_LISTING,
        _required("check_name", STRING),
        _optional("dataset", STRING),
        _required("bar_interval", STRING),
        _optional("left_side", STRING),
        _optional("right_side", STRING),
        _required("window_start", TIMESTAMP),
        _required("window_end", TIMESTAMP),
        _optional("left_rows", BIGINT),
        _optional("right_rows", BIGINT),
        _optional("matched", BIGINT),
        _required("compared", BIGINT),
        _required("equal", BIGINT),
        _required("equal_after_rounding", BIGINT),
        _required("not_derivable", BIGINT),
        _required("different", BIGINT),
        _required("only_left", BIGINT),
        _required("only_right", BIGINT),
        _required("unexplained", BIGINT),
        _optional("undetermined", BIGINT),
        _required("causes", _COUNTS),
        _optional("findings", _COUNTS),
        _optional("left_hash", STRING),
        _optional("right_hash", STRING),
        _required("checked_at", TIMESTAMP),
    ]
)

#: One row a difference: a field of one row, or a run of neighbouring ids that one side lacks.
#: An id is the trade's, the aggregate's, or a bar's start in milliseconds.
RECONCILIATION_DIFFERENCES = T.StructType(
    [
        _required("run_id", STRING),
        *_LISTING,
        _required("check_name", STRING),
        _required("dataset", STRING),
        _required("bar_interval", STRING),
        _required("left_side", STRING),
        _required("right_side", STRING),
        _required("window_start", TIMESTAMP),
        _required("window_end", TIMESTAMP),
        _required("first_id", BIGINT),
        _required("last_id", BIGINT),
        _required("rows", BIGINT),
        _required("from_timestamp", TIMESTAMP),
        _required("until_timestamp", TIMESTAMP),
        _required("field", STRING),
        _optional("left_value", STRING),
        _optional("right_value", STRING),
        _required("cause", STRING),
        _required("is_explained", BOOLEAN),
        _optional("incident_id", STRING),
        _optional("evidence", STRING),
        _optional("left_bronze_file", STRING),
        _optional("left_bronze_line", BIGINT),
        _optional("right_bronze_file", STRING),
        _optional("right_bronze_line", BIGINT),
        _required("detected_at", TIMESTAMP),
    ]
)
