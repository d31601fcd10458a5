"""The records of bulk runs as a table, `ops.bulk_runs` in SQL: a label leads to its runs."""

from __future__ import annotations

import json
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import types as T  # noqa: N812

from jobs.bulk.records import FOLDER
from jobs.context import Context
from lake.frames import local_frame
from lake.moment import moment

_TIMES = ("started_timestamp", "finished_timestamp", "start_timestamp", "end_timestamp")
_COUNTS = ("files", "rows", "requests", "missing_parts")
_LISTS = ("instruments", "exports")
_WORDS = (
    *("vendor", "exchange_id", "kind", "contract_type", "universe", "data_type", "dataset"),
    *("bar_interval", "data_format", "download_mode", "downloading_entity", "action_tag"),
)
#: One row a bulk run; counts, exports and the end are null until it has ended.
BULK_RUNS = T.StructType(
    [
        T.StructField("run_id", T.StringType(), nullable=False),
        *[T.StructField(name, T.TimestampType()) for name in _TIMES],
        *[T.StructField(name, T.StringType()) for name in _WORDS],
        *[T.StructField(name, T.LongType()) for name in _COUNTS],
        *[T.StructField(name, T.ArrayType(T.StringType())) for name in _LISTS],
    ]
)


def bulk_runs(context: Context) -> DataFrame:
    """Return the records of all bulk runs of the lake, as rows of `BULK_RUNS`."""
    contents = (context.store.read(key) for key in context.store.names(FOLDER))
    records = [json.loads(content, parse_float=str) for content in contents if content]
    return local_frame(context.spark, [_row(record) for record in records], BULK_RUNS)


def _row(record: dict[str, Any]) -> tuple[Any, ...]:
    known = {**record, **(record["outcome"] or {})}
    times = {name: moment(known[name], name) for name in _TIMES if known.get(name)}
    return tuple({**known, **times}.get(field.name) for field in BULK_RUNS)
