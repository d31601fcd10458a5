"""The only Delta writes: once each, within their slice, guarded, and open to other readers."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import deltalake
import duckdb
import duckdb_extension_delta  # type: ignore[import-untyped]
import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import types as T  # noqa: N812

from lake.errors import LeaseError, StorageError
from lake.objects import FolderStore
from lake.storage import APP_ID, APP_VERSION, IdRange, Slice, Tables, Transaction, quoted
from lake.tables import (
    APPEND_ONLY,
    BY_DAY_AND_INSTRUMENT,
    COMMON,
    FEED,
    IDENTITY_KEY,
    TABLES,
    Table,
)

pytestmark = [
    pytest.mark.spark,
    # pyspark leaves the socket of each collect() to the garbage collector
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

ROOT = Path(__file__).parents[2]
if not list((ROOT / ".jars" / "jars").glob("*.jar")):
    pytest.skip("the jars of Delta are not here: run ./run-tests.sh", allow_module_level=True)

PRINTS = Table(
    "silver.prints",
    T.StructType(
        [
            *(T.StructField(name, T.StringType(), nullable=False) for name in IDENTITY_KEY),
            T.StructField("instrument", T.StringType(), nullable=False),
            T.StructField("trade_seq", T.LongType(), nullable=False),
            T.StructField("price", T.DecimalType(20, 10), nullable=False),
            T.StructField("quote", T.DecimalType(38, 18), nullable=True),
            T.StructField("trade_timestamp", T.TimestampType(), nullable=False),
            *(
                T.StructField(name, T.IntegerType(), nullable=False)
                for name in ("year", "month", "day")
            ),
        ]
    ),
    key=(*IDENTITY_KEY, "trade_seq"),
    partitions=BY_DAY_AND_INSTRUMENT,
    statistics=("exchange", "kind", "trade_seq", "trade_timestamp"),
    properties={**COMMON, **FEED},
)
NOTES = Table(
    "ops.notes",
    T.StructType([T.StructField("name", T.StringType()), T.StructField("value", T.LongType())]),
    key=("name",),
    properties={**COMMON, **APPEND_ONLY},
)
#: All of them at home in writer version 4; none of them changes how a table is read.
WRITER_FEATURES = {"appendOnly", "invariants", "changeDataFeed"}
MOMENT = datetime(2024, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


def a_print(
    seq: int,
    price: str = "1.5",
    *,
    day: int = 1,
    instrument: str = "BTCUSDT",
    quote: str | None = None,
) -> tuple[Any, ...]:
    sent = None if quote is None else Decimal(quote)
    moment = MOMENT.replace(day=day)
    names = ("binance", "spot", instrument, instrument)
    return (*names, seq, Decimal(price), sent, moment, 2024, 1, day)


def day_of(
    *days: int, ids: tuple[int, int] | None = None, instruments: Sequence[str] = ()
) -> Slice:
    return Slice(
        venues=(("binance", "spot"),),
        days=tuple(20_240_100 + day for day in days),
        instruments=tuple(instruments),
        ids=IdRange("trade_seq", *ids) if ids else None,
    )


@pytest.fixture
def tables(spark: SparkSession, tmp_path: Path) -> Tables:
    return Tables(spark, FolderStore(tmp_path / "lake"))


@pytest.fixture
def prints(spark: SparkSession, tables: Tables) -> Callable[..., DataFrame]:
    """Return a builder of rows of the silver table, which exists."""
    tables.ensure(PRINTS)
    return lambda *rows: spark.createDataFrame(rows, PRINTS.schema)


def held(tables: Tables, table: Table = PRINTS) -> dict[int, Decimal]:
    return {row["trade_seq"]: row["price"] for row in tables.read(table).collect()}


def file_of(tables: Tables, folder: str) -> Path:
    (file,) = (Path(tables.location(PRINTS)) / folder).glob("*.parquet")
    return file


DAY_2 = "year=2024/month=1/day=2/instrument=BTCUSDT"


def test_a_table_is_created_as_the_registry_says(tables: Tables) -> None:
    tables.ensure(PRINTS, NOTES)
    tables.ensure(PRINTS)

    detail = deltalake.DeltaTable(tables.location(PRINTS))
    metadata = detail.metadata()
    assert metadata.partition_columns == ["year", "month", "day", "instrument"]
    assert metadata.configuration == {
        "delta.deletedFileRetentionDuration": "interval 14 days",
        "delta.logRetentionDuration": "interval 60 days",
        "delta.checkpointInterval": "20",
        "delta.enableChangeDataFeed": "true",
        "delta.dataSkippingStatsColumns": "exchange,kind,trade_seq,trade_timestamp",
    }
    assert tables.read(PRINTS).schema == PRINTS.schema
    assert tables.version(PRINTS) == 0


@pytest.mark.slow
def test_every_table_of_the_registry_asks_no_more_of_a_reader_than_version_one(
    tables: Tables,
) -> None:
    tables.ensure(*TABLES.values())

    for table in TABLES.values():
        protocol = deltalake.DeltaTable(tables.location(table)).protocol()
        assert protocol.min_reader_version == 1, table.name
        assert not protocol.reader_features, table.name
        assert set(protocol.writer_features or ()) <= WRITER_FEATURES, table.name
        assert [f.name for f in tables.read(table).schema] == table.schema.fieldNames()


def test_a_table_that_was_never_made_is_named_with_the_next_step(tables: Tables) -> None:
    assert not tables.exists(PRINTS)
    with pytest.raises(StorageError, match=r"silver\.prints does not exist.*spark-submit"):
        tables.read(PRINTS)


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_a_registered_table_names_only_columns_that_it_has(table: Table) -> None:
    columns = set(table.schema.fieldNames())

    assert {*table.key, *table.partitions, *table.statistics} <= columns
    assert table.statistics == () or not set(table.statistics) & set(table.partitions)
    required = [f.name for f in table.schema if not f.nullable]
    assert set(table.key) <= set(required), "a null never equals a key"


def test_values_survive_to_the_last_digit(tables: Tables, prints: Callable[..., DataFrame]) -> None:
    exact = "99999999999999999999.999999999999999999"
    tables.append(
        prints(a_print(1, "0.0000000001", quote=exact), a_print(2, "-9999999999.9999999999")),
        PRINTS,
    )

    first, second = tables.read(PRINTS).orderBy("trade_seq").collect()
    assert first["price"] == Decimal("0.0000000001")
    assert str(first["quote"]) == exact
    assert second["price"] == Decimal("-9999999999.9999999999")
    assert second["quote"] is None
    assert first["trade_timestamp"].replace(tzinfo=UTC) == MOMENT


def test_other_readers_see_the_same_rows(tables: Tables, prints: Callable[..., DataFrame]) -> None:
    names = ["币安/..", "A=B", "x%41", "BTC USDT"]
    rows = [a_print(n, f"{n}.0000000001", instrument=name) for n, name in enumerate(names)]
    tables.append(prints(*rows), PRINTS)
    tables.merge_new(prints(a_print(9, "9.5", day=2)), PRINTS, day_of(2), Transaction("other", 1))
    expected = {(name, Decimal(f"{n}.0000000001"), MOMENT) for n, name in enumerate(names)}
    expected.add(("BTCUSDT", Decimal("9.5"), MOMENT.replace(day=2)))

    read = deltalake.DeltaTable(tables.location(PRINTS)).to_pyarrow_table().to_pylist()
    assert {(row["instrument"], row["price"], row["trade_timestamp"]) for row in read} == expected
    with duck() as connection:
        query = "select instrument, price, epoch_us(trade_timestamp) from delta_scan($lake)"
        found = connection.execute(query, {"lake": tables.location(PRINTS)}).fetchall()
    micros = {(name, price, int(at.timestamp()) * 10**6 + 123456) for name, price, at in expected}
    assert set(found) == micros


def duck() -> duckdb.DuckDBPyConnection:
    """Open DuckDB with its Delta extension from the wheel: nothing is fetched."""
    (extension,) = Path(duckdb_extension_delta.__path__[0]).rglob("*.duckdb_extension")
    connection = duckdb.connect()
    connection.execute("set autoinstall_known_extensions = false")
    connection.load_extension(str(extension))
    return connection


def test_an_append_of_one_transaction_is_made_once(
    tables: Tables, prints: Callable[..., DataFrame]
) -> None:
    tables.append(prints(a_print(1)), PRINTS, Transaction("app", 7))
    tables.append(prints(a_print(1)), PRINTS, Transaction("app", 7))
    tables.append(prints(a_print(0)), PRINTS, Transaction("app", 6))
    assert tables.read(PRINTS).count() == 1

    tables.append(prints(a_print(2)), PRINTS, Transaction("app", 8))
    tables.append(prints(a_print(3)), PRINTS, Transaction("another", 7))
    assert sorted(held(tables)) == [1, 2, 3]


def test_rows_of_one_partition_are_written_into_one_file(
    tables: Tables, prints: Callable[..., DataFrame]
) -> None:
    rows = [a_print(n, day=1 + n % 2) for n in range(40)]
    tables.append(prints(*rows).repartition(8), PRINTS)

    assert file_of(tables, DAY_2).exists()
    assert len(list(Path(tables.location(PRINTS)).rglob("*.parquet"))) == 2


def test_a_merge_inserts_only_new_keys_and_the_first_row_stays(
    tables: Tables, prints: Callable[..., DataFrame]
) -> None:
    tables.append(prints(a_print(1, "1"), a_print(1, "1", instrument="ETHUSDT")), PRINTS)

    tables.merge_new(
        prints(a_print(1, "9"), a_print(2, "2")), PRINTS, day_of(1), Transaction("a", 0)
    )

    rows = {
        (row["instrument"], row["trade_seq"]): row["price"] for row in tables.read(PRINTS).collect()
    }
    assert rows == {("BTCUSDT", 1): 1, ("ETHUSDT", 1): 1, ("BTCUSDT", 2): 2}


def test_a_replayed_merge_is_skipped(tables: Tables, prints: Callable[..., DataFrame]) -> None:
    tables.merge_new(prints(a_print(1)), PRINTS, day_of(1), Transaction("a", 3))
    version = tables.version(PRINTS)

    tables.merge_new(prints(a_print(1), a_print(2)), PRINTS, day_of(1), Transaction("a", 3))
    assert tables.version(PRINTS) == version
    assert sorted(held(tables)) == [1]

    tables.merge_new(prints(a_print(2)), PRINTS, day_of(1), Transaction("a", 4))
    assert sorted(held(tables)) == [1, 2]


@pytest.mark.parametrize(
    "within",
    [
        pytest.param(day_of(1), id="by day"),
        pytest.param(day_of(1, instruments=["BTCUSDT"]), id="by day and instrument"),
        pytest.param(day_of(1, 2, ids=(1, 9)), id="by id range"),
        pytest.param(day_of(1, instruments=[f"X{n}" for n in range(201)]), id="too many names"),
    ],
)
def test_a_merge_reads_no_file_outside_its_slice(
    tables: Tables, prints: Callable[..., DataFrame], within: Slice, tmp_path: Path
) -> None:
    tables.append(prints(a_print(1), a_print(100, day=2)), PRINTS)
    file_of(tables, DAY_2).unlink()
    # from a file, as in a stream: Spark infers literals from a local row by itself
    prints(a_print(1), a_print(2)).write.parquet(str(tmp_path / "batch"))
    batch = tables.spark.read.schema(PRINTS.schema).parquet(str(tmp_path / "batch"))

    tables.merge_new(batch, PRINTS, within, Transaction("a", 0))

    assert tables.read(PRINTS).where("day = 1").count() == 2
    with pytest.raises(Py4JJavaError, match="FILE_NOT_EXIST"):
        tables.read(PRINTS).collect()


def test_an_upsert_replaces_known_rows_and_inserts_new_ones(
    tables: Tables, prints: Callable[..., DataFrame]
) -> None:
    tables.append(prints(a_print(1, "1"), a_print(100, day=2)), PRINTS)
    file_of(tables, DAY_2).unlink()

    for _ in range(2):
        rows = prints(a_print(1, "5"), a_print(2, "2"))
        tables.upsert(rows, PRINTS, day_of(1).predicate("t"))

    found = {
        row["trade_seq"]: row["price"] for row in tables.read(PRINTS).where("day = 1").collect()
    }
    assert found == {1: 5, 2: 2}


def test_a_replacement_touches_only_its_slice_and_refuses_rows_outside(
    tables: Tables, prints: Callable[..., DataFrame]
) -> None:
    tables.append(prints(a_print(1), a_print(2, day=2)), PRINTS)

    tables.replace(prints(a_print(7)), PRINTS, day_of(1).predicate())
    assert sorted(held(tables)) == [2, 7]

    with pytest.raises(PySparkException, match=r"replaceWhere|REPLACE_WHERE"):
        tables.replace(prints(a_print(8), a_print(9, day=3)), PRINTS, day_of(1).predicate())
    assert sorted(held(tables)) == [2, 7]


def test_rows_are_deleted_by_predicate(tables: Tables, prints: Callable[..., DataFrame]) -> None:
    tables.append(prints(a_print(1), a_print(2)), PRINTS)
    tables.delete(PRINTS, "trade_seq = 1")
    assert sorted(held(tables)) == [2]


def test_a_correction_writes_only_what_differs(
    tables: Tables, prints: Callable[..., DataFrame]
) -> None:
    tables.append(
        prints(a_print(1, "1"), a_print(2, "2"), a_print(3, "3"), a_print(4, day=2)), PRINTS
    )
    before = tables.version(PRINTS)

    wanted = prints(a_print(1, "1"), a_print(2, "5"), a_print(6, "6"))
    tables.correct(wanted, PRINTS, day_of(1).predicate("t"), ["price", "quote"])

    assert held(tables) == {1: 1, 2: 5, 4: Decimal("1.5"), 6: 6}
    feed = changed(tables, before + 1)
    assert feed == [(2, "update_postimage"), (2, "update_preimage"), (3, "delete"), (6, "insert")]


def changed(tables: Tables, version: int) -> list[tuple[int, str]]:
    reader = tables.spark.read.format("delta").option("readChangeFeed", "true")
    rows = reader.option("startingVersion", version).load(tables.location(PRINTS)).collect()
    return sorted((row["trade_seq"], row["_change_type"]) for row in rows)


def test_the_change_feed_brings_each_row_once(
    tables: Tables, prints: Callable[..., DataFrame], tmp_path: Path
) -> None:
    tables.append(prints(a_print(1)), PRINTS)
    assert drained(tables, tmp_path) == [1]

    tables.append(prints(a_print(2)), PRINTS)
    tables.merge_new(prints(a_print(2), a_print(3)), PRINTS, day_of(1), Transaction("a", 0))

    assert drained(tables, tmp_path) == [2, 3]
    assert drained(tables, tmp_path) == []


def drained(tables: Tables, folder: Path) -> list[int]:
    seen: list[Row] = []
    query = (
        tables.changes(PRINTS, files_per_batch=1)
        .writeStream.foreachBatch(lambda batch, _: seen.extend(batch.collect()))
        .option("checkpointLocation", str(folder / "checkpoint"))
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()
    assert {row["_change_type"] for row in seen} <= {"insert"}
    return sorted(row["trade_seq"] for row in seen)


WRITES: dict[str, Callable[[Tables, DataFrame], None]] = {
    "append": lambda tables, rows: tables.append(rows, PRINTS),
    "merge_new": lambda tables, rows: tables.merge_new(
        rows, PRINTS, day_of(1), Transaction("a", 1)
    ),
    "upsert": lambda tables, rows: tables.upsert(rows, PRINTS),
    "correct": lambda tables, rows: tables.correct(rows, PRINTS, "true", ["price"]),
    "replace": lambda tables, rows: tables.replace(rows, PRINTS, "true"),
    "delete": lambda tables, _: tables.delete(PRINTS, "true"),
}


@pytest.mark.parametrize("write", WRITES)
def test_no_write_happens_once_the_lease_is_lost(
    tables: Tables, prints: Callable[..., DataFrame], write: str
) -> None:
    rows = prints(a_print(2))
    tables.append(prints(a_print(1)), PRINTS)
    asked: list[str] = []

    def lost(table: Table) -> None:
        asked.append(table.name)
        raise LeaseError("lost")

    guarded = Tables(tables.spark, tables.store, lost)
    with pytest.raises(LeaseError):
        WRITES[write](guarded, rows)

    assert asked == ["silver.prints"]
    assert sorted(held(tables)) == [1]


def test_no_table_is_made_once_the_lease_is_lost(tables: Tables) -> None:
    def lost(table: Table) -> None:
        raise LeaseError(f"lost {table.name}")

    with pytest.raises(LeaseError, match=r"ops\.notes"):
        Tables(tables.spark, tables.store, lost).ensure(NOTES)
    assert not tables.exists(NOTES)


def test_a_transaction_leaves_no_setting_behind(
    tables: Tables, prints: Callable[..., DataFrame]
) -> None:
    conf = tables.spark.conf
    tables.merge_new(prints(a_print(1)), PRINTS, day_of(1), Transaction("a", 1))
    assert (conf.get(APP_ID, None), conf.get(APP_VERSION, None)) == (None, None)

    broken = prints(a_print(2)).drop("price")
    with pytest.raises(PySparkException):
        tables.merge_new(broken, PRINTS, day_of(1), Transaction("a", 2))
    assert (conf.get(APP_ID, None), conf.get(APP_VERSION, None)) == (None, None)

    tables.merge_new(prints(a_print(2)), PRINTS, day_of(1), Transaction("a", 2))
    assert sorted(held(tables)) == [1, 2]


def test_an_append_only_table_refuses_to_forget(tables: Tables) -> None:
    tables.ensure(NOTES)
    tables.append(tables.spark.createDataFrame([("a", 1)], NOTES.schema), NOTES)

    with pytest.raises(PySparkException, match="append"):
        tables.delete(NOTES, "true")


def test_the_lake_can_be_moved(
    tables: Tables, prints: Callable[..., DataFrame], tmp_path: Path
) -> None:
    tables.append(prints(a_print(1)), PRINTS)
    shutil.move(tmp_path / "lake", tmp_path / "elsewhere")

    moved = Tables(tables.spark, FolderStore(tmp_path / "elsewhere"))

    assert sorted(held(moved)) == [1]


@pytest.mark.parametrize(
    ("within", "sql"),
    [
        (Slice((("b", "spot"),)), "exchange IN ('b') AND kind IN ('spot')"),
        (
            Slice((("b", "spot"), ("d", "option")), (20240102, 20231231), ("Y", "X", "X")),
            (
                "exchange IN ('b', 'd') AND kind IN ('option', 'spot')"
                " AND year * 10000 + month * 100 + day IN (20231231, 20240102)"
                " AND year IN (2023, 2024) AND instrument IN ('X', 'Y')"
            ),
        ),
        (
            Slice((("b", "s"),), ids=IdRange("agg_id", 1, 2)),
            "exchange IN ('b') AND kind IN ('s') AND agg_id BETWEEN 1 AND 2",
        ),
    ],
)
def test_a_slice_is_told_in_literals(within: Slice, sql: str) -> None:
    assert within.predicate() == sql


@pytest.mark.parametrize("text", ["", "'", "\\", "a'b\\'c", "' OR true --", "币", "a\nb", "${x}"])
def test_any_text_is_one_sql_literal(spark: SparkSession, text: str) -> None:
    (row,) = spark.sql(f"SELECT {quoted(text)} AS text").collect()

    assert row["text"] == text
