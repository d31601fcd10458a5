"""Run by test_delta_on_s3 in a process of its own: the S3 jars must be there when the JVM starts.

Each check leaves what it saw in one JSON object, printed at the end; the tests judge it.
"""

from __future__ import annotations

import gzip
import json
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from lake.bronze import BronzeName, Coverage
from lake.objects import ObjectStore, open_store
from lake.s3 import explained
from lake.session import build_session
from lake.settings import load_settings
from lake.storage import Slice, Tables, Transaction
from lake.tables import BY_DAY_AND_INSTRUMENT, FEED, Table

PRINTS = Table(
    "silver.prints",
    T.StructType(
        [
            T.StructField("exchange", T.StringType(), nullable=False),
            T.StructField("kind", T.StringType(), nullable=False),
            T.StructField("instrument", T.StringType(), nullable=False),
            T.StructField("trade_seq", T.LongType(), nullable=False),
            T.StructField("price", T.DecimalType(20, 10), nullable=False),
            *(
                T.StructField(name, T.IntegerType(), nullable=False)
                for name in ("year", "month", "day")
            ),
        ]
    ),
    key=("exchange", "kind", "instrument", "trade_seq"),
    partitions=BY_DAY_AND_INSTRUMENT,
    statistics=("trade_seq",),
    properties=FEED,
)
COPIES = Table("gold.copies", PRINTS.schema, key=PRINTS.key)
ODD_NAME = "a/b%41 é=.."
WITHIN = Slice((("binance", "spot"),), days=(20260301,), instruments=("BTCUSDT", ODD_NAME))


def prints(spark: SparkSession, *rows: tuple[str, int, str]) -> DataFrame:
    """Return rows of the table from instrument, trade_seq and price."""
    return spark.createDataFrame(
        [("binance", "spot", name, seq, Decimal(price), 2026, 3, 1) for name, seq, price in rows],
        PRINTS.schema,
    )


def held(tables: Tables, table: Table = PRINTS) -> list[list[Any]]:
    """Return instrument, trade_seq and price of all rows of the table, sorted."""
    rows = tables.read(table).select("instrument", "trade_seq", "price").collect()
    return sorted([row[0], row[1], str(row[2])] for row in rows)


def write_each_way(tables: Tables) -> dict[str, Any]:
    """Write by every way that there is; each second try must add nothing."""
    seen: dict[str, Any] = {"exists before": tables.exists(PRINTS)}
    tables.ensure(PRINTS)
    tables.ensure(PRINTS)
    seen["exists after"] = tables.exists(PRINTS)

    first = prints(tables.spark, ("BTCUSDT", 1, "10"), (ODD_NAME, 1, "7"))
    for _ in range(2):
        tables.append(first, PRINTS, Transaction("append", 1))
    seen["append"] = held(tables)

    again_and_new = prints(tables.spark, ("BTCUSDT", 1, "99"), ("BTCUSDT", 2, "11"))
    for version in (1, 1, 2):
        tables.merge_new(again_and_new, PRINTS, WITHIN, Transaction("merge", version))
    seen["merge_new"] = held(tables)

    known_and_new = prints(tables.spark, ("BTCUSDT", 2, "12"), (ODD_NAME, 2, "8"))
    tables.upsert(known_and_new, PRINTS, WITHIN.predicate("t"))
    seen["upsert"] = held(tables)

    where = f"{WITHIN.predicate()} AND trade_seq > 1"
    tables.replace(prints(tables.spark, (ODD_NAME, 3, "9")), PRINTS, where)
    seen["replace"] = held(tables)
    return seen


def follow_changes(tables: Tables) -> dict[str, Any]:
    """Follow the change feed from one checkpoint in S3: a write between, then nothing new."""
    tables.ensure(COPIES)
    run_stream(tables)
    first = held(tables, COPIES)
    tables.append(prints(tables.spark, ("BTCUSDT", 5, "13")), PRINTS, Transaction("append", 2))
    run_stream(tables)
    run_stream(tables)
    return {
        "first run": first,
        "last run": held(tables, COPIES),
        "checkpoint": list(tables.store.names("checkpoints/copies/commits/")),
        "manager": tables.spark.conf.get("spark.sql.streaming.checkpointFileManagerClass"),
    }


def run_stream(tables: Tables) -> None:
    def keep(batch: DataFrame, number: int) -> None:
        added = batch.where(F.col("_change_type").isin("insert", "update_postimage"))
        tables.append(
            added.select(*PRINTS.schema.fieldNames()), COPIES, Transaction("copies", number)
        )

    query = (
        tables.changes(PRINTS, files_per_batch=2)
        .writeStream.foreachBatch(keep)
        .option("checkpointLocation", tables.store.location("checkpoints/copies"))
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()


def read_bronze(spark: SparkSession, store: ObjectStore) -> dict[str, Any]:
    """Read names that boto3 wrote with encoded characters: as a folder, one by one, as a stream."""
    names = ("a/b", "..", "x~y", "x%41 y+z")
    keys = [
        BronzeName("trades", "binance", "spot", name, "history", Coverage(1, 2, 3, 4)).key
        for name in names
    ]
    for name, key in zip(names, keys, strict=True):
        store.create(key, gzip.compress(f"of {name}\n".encode(), mtime=0))
    folder = store.location("bronze/trades/*/*/*")
    one_by_one = [spark.read.text(store.location(key)).collect()[0].value for key in keys]
    query = (
        placed(spark.readStream.schema("value string").format("text").load(folder))
        .writeStream.format("memory")
        .queryName("landed")
        .option("checkpointLocation", store.location("checkpoints/landed"))
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()
    return {
        "folder": sorted(map(list, placed(spark.read.text(folder)).collect())),
        "one by one": one_by_one,
        "stream": sorted(map(list, spark.table("landed").collect())),
    }


def placed(lines: DataFrame) -> DataFrame:
    return lines.select("value", F.element_at(F.split("_metadata.file_path", "/"), -1))


@dataclass(frozen=True)
class Elsewhere:
    """A store as far as Tables asks it: the addresses in a bucket that can't be used."""

    bucket: str

    def location(self, key: str) -> str:
        return f"s3a://{self.bucket}/{key}"


def fail_each_way(
    spark: SparkSession, store: ObjectStore, hung: int, closed: int
) -> dict[str, Any]:
    """Use a table where something is wrong; see how each call ends, and after how long."""
    spoil(spark, "badsecret", {**SIMPLE, "access.key": sys.argv[2], "secret.key": "guessed"})
    spoil(spark, "badkey", {**SIMPLE, "access.key": "nobody", "secret.key": "guessed"})
    spoil(spark, "gone", {"endpoint": f"http://127.0.0.1:{closed}"})
    spoil(spark, "hung", {"endpoint": f"http://127.0.0.1:{hung}"})
    row = prints(spark, ("BTCUSDT", 1, "1"))
    seen = {}
    for name in ("badsecret", "badkey", "gone", "nobucket"):
        tables = Tables(spark, Elsewhere(name))  # type: ignore[arg-type]
        seen[f"{name} exists"] = failure(partial(tables.exists, PRINTS))
        seen[f"{name} read"] = failure(partial(tables.read, PRINTS))
        seen[f"{name} append"] = failure(partial(tables.append, row, PRINTS))
        checkpoint = store.location(f"checkpoints/{name}")
        seen[f"{name} stream"] = failure(partial(run_into, tables, checkpoint))
    hanging = Tables(spark, Elsewhere("hung"))  # type: ignore[arg-type]
    seen["hung exists"] = failure(partial(hanging.exists, PRINTS))
    return seen


SIMPLE = {"aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider"}


def spoil(spark: SparkSession, bucket: str, options: dict[str, str]) -> None:
    """Give one bucket S3A settings of its own."""
    for name, value in options.items():
        spark._jsc.hadoopConfiguration().set(f"fs.s3a.bucket.{bucket}.{name}", value)


def run_into(tables: Tables, checkpoint: str) -> None:
    """Run a stream whose batches are written to these tables."""
    row = prints(tables.spark, ("BTCUSDT", 1, "1"))
    (
        tables.spark.readStream.format("rate-micro-batch")
        .option("rowsPerBatch", 1)
        .load()
        .writeStream.foreachBatch(lambda _batch, _number: tables.append(row, PRINTS))
        .option("checkpointLocation", checkpoint)
        .start()
        .awaitTermination()
    )


def failure(work: Callable[[], object]) -> dict[str, Any]:
    """Return how the work failed: the one line for people, whether a secret shows, seconds."""
    began = time.monotonic()
    try:
        work()
    except (Py4JJavaError, PySparkException) as error:
        line = explained(str(error), "silver.prints")
        told = {"line": str(line), "secret": "guessed" in str(error), "text": str(error)[:2000]}
        return {**told, "seconds": int(time.monotonic() - began)}
    return {"line": "it did not fail"}


def main() -> None:
    root = sys.argv[1]
    settings = load_settings("local", [f"lake.root={root}"])
    spark = build_session(settings, "s3", master="local[2]")
    store = open_store(root)
    tables = Tables(spark, store)
    with socket.create_server(("127.0.0.1", 0)) as hung, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        seen = {
            "writes": write_each_way(tables),
            "changes": follow_changes(tables),
            "bronze": read_bronze(spark, store),
            "failures": fail_each_way(spark, store, hung.getsockname()[1], closed.getsockname()[1]),
        }
    sys.stdout.write(json.dumps(seen))
    spark.stop()


if __name__ == "__main__":
    main()
