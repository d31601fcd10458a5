"""A table that an older version made gets the columns of the present one, and keeps its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import types as T  # noqa: N812

from lake import schemas
from lake.errors import StorageError
from lake.growth import growth
from lake.objects import FolderStore
from lake.storage import Slice, Tables, Transaction
from lake.tables import SILVER_KLINES, SILVER_TRADES, TABLES, Table
from tests.transform.frames import frame

pytestmark = pytest.mark.spark

ORDER_IDS = ("buyer_order_id", "seller_order_id")
JANUARY_1 = Slice(venues=(("binance", "spot"),), days=(20_240_101,))
TODAY = {"year": 2024, "month": 1, "day": 1}


def without(table: Table, *names: str) -> Table:
    """The table as it was before it had these columns."""
    return replace(table, schema=T.StructType([f for f in table.schema if f.name not in names]))


def requiring(table: Table, name: str) -> Table:
    """The table as it was when this column was required."""
    fields = [
        T.StructField(f.name, f.dataType, f.nullable and f.name != name) for f in table.schema
    ]
    return replace(table, schema=T.StructType(fields))


@pytest.fixture
def tables(spark: SparkSession, tmp_path: Path) -> Tables:
    return Tables(spark, FolderStore(tmp_path / "a lake"))


def merged(tables: Tables, table: Table, batch: int, *rows: dict[str, Any]) -> None:
    written = frame(tables.spark, table.schema, [{**TODAY, **row} for row in rows])
    tables.merge_new(written, table, JANUARY_1, Transaction("test", batch))


def followed(tables: Tables, table: Table, checkpoint: Path) -> list[tuple[Any, ...]]:
    """What a stream on the change feed has seen since it last stopped, as gold follows silver."""
    seen: list[tuple[Any, ...]] = []

    def keep(batch: Any, _: int) -> None:
        names: Sequence[str] = ["trade_seq", *[n for n in ORDER_IDS if n in batch.columns]]
        seen.extend(tuple(row) for row in batch.select(*names).collect())

    query = (
        tables.changes(table, files_per_batch=10)
        .writeStream.foreachBatch(keep)
        .option("checkpointLocation", str(checkpoint))
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()
    return sorted(seen)


def test_new_columns_come_to_an_older_table_where_the_schema_has_them(
    tables: Tables, tmp_path: Path
) -> None:
    older = without(SILVER_TRADES, *ORDER_IDS)
    tables.ensure(older)
    merged(tables, older, 1, {"trade_seq": 1}, {"trade_seq": 2})
    assert followed(tables, older, tmp_path / "checkpoint") == [(1,), (2,)]

    tables.ensure(SILVER_TRADES)
    merged(tables, SILVER_TRADES, 2, {"trade_seq": 2}, {"trade_seq": 3, "buyer_order_id": 88})
    grown = tables.read(SILVER_TRADES)

    assert grown.columns == SILVER_TRADES.schema.names
    rows = grown.select("trade_seq", *ORDER_IDS).collect()
    assert sorted(map(tuple, rows)) == [(1, None, None), (2, None, None), (3, 88, None)]
    # a stream that stood before the change goes on behind it, and one that begins sees all
    assert followed(tables, SILVER_TRADES, tmp_path / "checkpoint") == [(3, 88, None)]
    assert followed(tables, SILVER_TRADES, tmp_path / "another") == [
        (1, None, None),
        (2, None, None),
        (3, 88, None),
    ]


def test_a_column_that_was_required_takes_null(tables: Tables) -> None:
    older = requiring(SILVER_KLINES, "quote_volume_sent")
    tables.ensure(older)
    merged(tables, older, 1, {"instrument_uid": "A", "quote_volume_sent": "1.5"})

    tables.ensure(SILVER_KLINES)
    merged(tables, SILVER_KLINES, 2, {"instrument_uid": "B", "quote_volume_sent": None})

    rows = tables.read(SILVER_KLINES).select("instrument_uid", "quote_volume_sent").collect()
    assert sorted(map(tuple, rows)) == [("A", Decimal("1.5")), ("B", None)]


def test_a_table_of_the_present_schema_is_left_alone(tables: Tables) -> None:
    tables.ensure(SILVER_TRADES)
    version = tables.version(SILVER_TRADES)

    tables.ensure(SILVER_TRADES)

    assert tables.version(SILVER_TRADES) == version
    for table in TABLES.values():
        assert growth(table, table.schema, "here") == []


@pytest.mark.parametrize(
    "held",
    [
        [field for field in schemas.TRADES if field.name != "price"],
        [
            T.StructField(f.name, T.StringType() if f.name == "price" else f.dataType)
            for f in schemas.TRADES
        ],
    ],
    ids=["a required column", "another type"],
)
def test_what_can_not_grow_says_how_to_make_it_anew(held: list[T.StructField]) -> None:
    with pytest.raises(StorageError, match=r"column 'price' differs.*\[here\].*bronze"):
        growth(SILVER_TRADES, T.StructType(held), "here")
