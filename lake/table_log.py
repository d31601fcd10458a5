"""What a Delta table's own log says of its files and commits, read as its protocol lays it down."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from lake.clock import from_millis
from lake.errors import StorageError
from lake.objects import ObjectStore
from lake.tables import Table

#: Commits that leave every row as it is.
MOVES_NO_ROW = (
    "CREATE TABLE",
    "OPTIMIZE",
    "VACUUM START",
    "VACUUM END",
    "SET TBLPROPERTIES",
    "UNSET TBLPROPERTIES",
    "ADD COLUMNS",
    "CHANGE COLUMN",
)
RETENTION = "delta.deletedFileRetentionDuration"
#: Delta's own, where the property is not set.
DEFAULT_RETENTION = "interval 7 days"
_DAYS = re.compile(r"(?:interval )?(\d+) days?")
_ENTRY = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(?:\.\d{10}\.(\d{10}))?\.parquet")
_ADDED = T.StructType(
    [
        T.StructField("path", T.StringType()),
        T.StructField("partitionValues", T.MapType(T.StringType(), T.StringType())),
        T.StructField("size", T.LongType()),
        T.StructField("modificationTime", T.LongType()),
        T.StructField("stats", T.StringType()),
    ]
)
_ACTIONS = T.StructType(
    [
        T.StructField("add", _ADDED),
        T.StructField("remove", T.StructType([T.StructField("path", T.StringType())])),
    ]
)


@dataclass(frozen=True, slots=True)
class LogParts:
    """The objects of a log that tell the newest version: keys below the lake's root."""

    checkpoint: tuple[str, ...]
    entries: tuple[str, ...]


def parts(store: ObjectStore, table: Table) -> LogParts:
    """Return the newest whole checkpoint of a table, and the entries behind it.

    Raises:
        StorageError: the store can't be read.
    """
    folder = f"{table.path}/_delta_log/"
    keys = list(store.names(folder))
    found: dict[int, list[tuple[str, int]]] = {}
    for key in keys:
        if match := _CHECKPOINT.fullmatch(key.removeprefix(folder)):
            found.setdefault(int(match[1]), []).append((key, int(match[2] or 1)))
    whole = [version for version, them in found.items() if len(them) == them[0][1]]
    newest = max(whole, default=-1)
    entries = (
        key
        for key in keys
        if (match := _ENTRY.fullmatch(key.removeprefix(folder))) and int(match[1]) > newest
    )
    return LogParts(tuple(key for key, _ in found.get(newest, ())), tuple(sorted(entries)))


def files_of(spark: SparkSession, store: ObjectStore, table: Table) -> DataFrame:
    """Return the data files of the newest version of a table.

    Returns:
        `path`, `partition_values` (a map of texts), `size` (bytes), `stats` (JSON or null).

    Raises:
        StorageError: the store can't be read, or there is no such table.
    """
    log = parts(store, table)
    if not log.entries and not log.checkpoint:
        raise StorageError(f"the table {table.name} has no log", where=store.location(table.path))
    stages = [_of_checkpoint(spark, store, log), _of_entries(spark, store, log)]
    everything = reduce(DataFrame.unionByName, [one for one in stages if one is not None])
    file = F.struct("partitionValues", "size", "stats", "is_there")
    last = F.max_by(file, F.struct("version", "is_there")).alias("file")
    rows = everything.groupBy("path").agg(last).where("file.is_there")
    return rows.select(
        "path", F.col("file.partitionValues").alias("partition_values"), "file.size", "file.stats"
    )


def _of_checkpoint(spark: SparkSession, store: ObjectStore, log: LogParts) -> DataFrame | None:
    if not log.checkpoint:
        return None
    held = spark.read.parquet(*map(store.location, log.checkpoint)).where("add IS NOT NULL")
    columns = [F.col(f"add.{name}").alias(name) for name in _ADDED.names]
    return held.select(*columns, F.lit(-1).alias("version"), F.lit(True).alias("is_there"))


def _of_entries(spark: SparkSession, store: ObjectStore, log: LogParts) -> DataFrame | None:
    if not log.entries:
        return None
    told = spark.read.schema(_ACTIONS).json([store.location(key) for key in log.entries])
    version = F.regexp_extract("_metadata.file_name", r"(\d{20})", 1).cast("long")
    told = told.withColumn("version", version).where("add IS NOT NULL OR remove IS NOT NULL")
    columns = [F.col(f"add.{name}").alias(name) for name in _ADDED.names if name != "path"]
    path = F.coalesce("add.path", "remove.path").alias("path")
    return told.select(path, *columns, "version", F.col("add").isNotNull().alias("is_there"))


@dataclass(frozen=True, slots=True)
class Commit:
    """One version of a table: what made it, and when."""

    version: int
    operation: str
    made: datetime

    @property
    def moves_rows(self) -> bool:
        """Whether rows may have changed."""
        return self.operation not in MOVES_NO_ROW


def versions_from(store: ObjectStore, table: Table, first: int) -> list[int]:
    """Return the versions from `first` on that the log still has, in order.

    Raises:
        StorageError: the store can't be read.
    """
    folder = f"{table.path}/_delta_log/"
    names = (key.removeprefix(folder) for key in store.names(folder))
    found = (int(match[1]) for name in names if (match := _ENTRY.fullmatch(name)))
    return sorted(version for version in found if version >= first)


def commit_of(store: ObjectStore, table: Table, version: int) -> Commit | None:
    """Return a version's commit, None where the log keeps it no longer.

    Raises:
        StorageError: the store can't be read.
    """
    content = store.read(f"{table.path}/_delta_log/{version:020}.json")
    for line in (content or b"").splitlines():
        told = json.loads(line).get("commitInfo")
        if told is not None:
            made = from_millis(int(told.get("inCommitTimestamp", told["timestamp"])))
            return Commit(version, str(told.get("operation", "")), made)
    return None


def kept_for(properties: dict[str, str]) -> timedelta:
    """Return how long a table keeps the files that its newest version no longer has.

    Raises:
        StorageError: the property is not in days.
    """
    text = properties.get(RETENTION, DEFAULT_RETENTION)
    match = _DAYS.fullmatch(text)
    if match is None:
        raise StorageError(f"{RETENTION} is '{text}', which is not a number of days")
    return timedelta(days=int(match[1]))
