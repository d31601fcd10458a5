"""The one way to read and write a table: every write is guarded against a second run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from lake.clock import Clock, SystemClock
from lake.configured import configured
from lake.contracts import contract_of
from lake.errors import StorageError
from lake.file_sizes import FileSizes
from lake.growth import growth
from lake.objects import ObjectStore
from lake.table_log import commit_of, kept_for
from lake.tables import Table

log = logging.getLogger(__name__)

APP_ID = "spark.databricks.delta.write.txnAppId"
APP_VERSION = "spark.databricks.delta.write.txnVersion"
#: A batch is deterministic, its bronze files never change: its MERGE needs no copy of it.
SOURCE_COPY = "spark.databricks.delta.merge.materializeSource"
#: Else each VACUUM is two versions, also where it finds nothing to remove.
VACUUM_COMMITS = "spark.databricks.delta.vacuum.logging.enabled"
#: Above so many instruments a MERGE names only the days.
MOST_INSTRUMENTS = 200


@dataclass(frozen=True, slots=True)
class Transaction:
    """What makes a write happen once: Delta skips a version that the application has written.

    A retry must carry the same rows under the same version, or they are dropped in silence.
    """

    application: str
    version: int


@dataclass(frozen=True, slots=True)
class IdRange:
    """The ids from lowest to highest, both inclusive, in a column."""

    column: str
    lowest: int
    highest: int


@dataclass(frozen=True, slots=True)
class Slice:
    """The literal part of a table that a write may touch.

    Attributes:
        venues: the (exchange, kind) pairs.
        days: dates as yyyymmdd, empty for a table without day partitions.
        instruments: names; above 200 they are left out of the predicate.
        ids: the lowest and highest id, where the table has one: files outside are skipped.
    """

    venues: tuple[tuple[str, str], ...]
    days: tuple[int, ...] = ()
    instruments: tuple[str, ...] = ()
    ids: IdRange | None = None

    def predicate(self, alias: str = "") -> str:
        """Return the slice as SQL over the columns of `alias`."""
        dot = f"{alias}." if alias else ""
        exchanges, kinds = zip(*self.venues, strict=True)
        terms = [_among(f"{dot}exchange", exchanges), _among(f"{dot}kind", kinds)]
        if self.days:
            listed = ", ".join(map(str, sorted(set(self.days))))
            terms.append(f"{dot}year * 10000 + {dot}month * 100 + {dot}day IN ({listed})")
            terms.append(
                f"{dot}year IN ({', '.join(map(str, sorted({d // 10000 for d in self.days})))})"
            )
        if 0 < len(self.instruments) <= MOST_INSTRUMENTS:
            terms.append(_among(f"{dot}instrument", self.instruments))
        if self.ids is not None:
            terms.append(f"{dot}{self.ids.column} BETWEEN {self.ids.lowest} AND {self.ids.highest}")
        return " AND ".join(terms)


@dataclass(slots=True)
class Tables:
    """The tables of one lake.

    `guard` is called before every write; it raises where the writer has lost its lease.
    """

    spark: SparkSession
    store: ObjectStore
    guard: Callable[[Table], None] = field(default=lambda _table: None)
    clock: Clock = field(default_factory=SystemClock)

    def location(self, table: Table) -> str:
        """Return the table's address."""
        return self.store.location(table.path)

    def exists(self, table: Table) -> bool:
        """Tell whether the table was ever created."""
        return bool(DeltaTable.isDeltaTable(self.spark, self.location(table)))

    def ensure(self, *tables: Table) -> None:
        """Create the tables that do not exist, empty, and let older ones grow to the schema.

        Raises:
            StorageError: a table's columns are such that it has to be made anew.
        """
        for table in tables:
            if self.exists(table):
                self._grow(table)
                continue
            self.guard(table)
            statistics = {"delta.dataSkippingStatsColumns": ",".join(table.statistics)}
            builder = (
                DeltaTable.createIfNotExists(self.spark)
                .location(self.location(table))
                .addColumns(table.schema)
                .partitionedBy(*table.partitions)
            )
            for key, value in {
                **table.properties,
                **(statistics if table.statistics else {}),
                **contract_of(table.name),
            }.items():
                builder = builder.property(key, value)
            builder.execute()

    def _grow(self, table: Table) -> None:
        """Bring a table of an older version up to the schema: no data file is written."""
        columns = self.spark.read.format("delta").load(self.location(table)).schema
        statements = growth(table, columns, self.location(table))
        if statements:
            self.guard(table)
        for statement in statements:
            log.info("%s", statement)
            self.spark.sql(statement)
        if statements and contract_of(table.name):
            self.set_properties(table, contract_of(table.name))

    def read(self, table: Table) -> DataFrame:
        """Return the table's current rows.

        Raises:
            StorageError: the table does not exist yet.
        """
        if not self.exists(table):
            raise StorageError(
                f"the table {table.name} does not exist in this lake",
                where=self.location(table),
                hint="Run ./spark-submit.sh pipeline first.",
            )
        return self.spark.read.format("delta").load(self.location(table))

    def append(
        self, frame: DataFrame, table: Table, transaction: Transaction | None = None
    ) -> None:
        """Append rows; with a transaction a second try of the same one adds nothing."""
        self.guard(table)
        writer = self._clustered(frame, table).write.format("delta").mode("append")
        if transaction is not None:
            writer = writer.option("txnAppId", transaction.application)
            writer = writer.option("txnVersion", transaction.version)
        writer.save(self.location(table))

    def merge_new(
        self, frame: DataFrame, table: Table, within: Slice, transaction: Transaction
    ) -> None:
        """Insert the rows whose key the table has not; the first row to arrive stays.

        `frame` holds each key once. `within` names, in literals, all that the rows can touch.
        """
        self.guard(table)
        with _transaction(frame.sparkSession, transaction):
            (
                self._delta(table, frame.sparkSession)
                .alias("t")
                .merge(frame.alias("s"), f"{within.predicate('t')} AND {_same_key(table)}")
                .whenNotMatchedInsertAll()
                .execute()
            )

    def upsert(self, frame: DataFrame, table: Table, within: str = "true") -> None:
        """Insert rows with a new key and replace those with a known one.

        Naturally repeatable: the same rows again change nothing that can be seen. `within` is a
        literal predicate over alias `t` that holds for all that the rows can touch.
        """
        self.guard(table)
        (
            self._delta(table, frame.sparkSession)
            .alias("t")
            .merge(frame.alias("s"), f"{within} AND {_same_key(table)}")
            .whenMatchedUpdateAll()
            .whenNotMatchedInsertAll()
            .execute()
        )

    def correct(self, frame: DataFrame, table: Table, within: str, compared: Sequence[str]) -> None:
        """Make the rows for which `within` holds the rows of `frame`, in one commit.

        A row that differs in a column of `compared` is replaced, a new one inserted, one that
        `frame` has not is deleted; equal rows are not written, so the change feed carries only
        what changed. `within` is a predicate over the table's own columns, under alias `t`.
        """
        self.guard(table)
        differs = " OR ".join(f"NOT t.{name} <=> s.{name}" for name in compared)
        (
            self._delta(table, frame.sparkSession)
            .alias("t")
            .merge(frame.alias("s"), f"{within} AND {_same_key(table)}")
            .whenMatchedUpdateAll(condition=differs)
            .whenNotMatchedInsertAll()
            .whenNotMatchedBySourceDelete(condition=within)
            .execute()
        )

    def replace(self, frame: DataFrame, table: Table, where: str) -> None:
        """Replace exactly the rows for which `where` holds; others can't be touched or written."""
        self.guard(table)
        (
            self._clustered(frame, table)
            .write.format("delta")
            .mode("overwrite")
            .option("replaceWhere", where)
            .save(self.location(table))
        )

    def remove(self, keys: DataFrame, table: Table, within: str) -> None:
        """Delete the rows whose key is in `keys`; `within` is as in `upsert`."""
        self.guard(table)
        (
            self._delta(table, keys.sparkSession)
            .alias("t")
            .merge(keys.alias("s"), f"{within} AND {_same_key(table)}")
            .whenMatchedDelete()
            .execute()
        )

    def update(self, table: Table, where: str, values: Mapping[str, str]) -> None:
        """Set text columns of the rows for which the SQL predicate holds."""
        self.guard(table)
        changes = {name: quoted(value) for name, value in values.items()}
        self._delta(table, self.spark).update(where, changes)

    def update_matching(
        self,
        keys: DataFrame,
        table: Table,
        on: Sequence[str],
        where: str,
        values: Mapping[str, str],
    ) -> None:
        """Set text columns of the rows with one of these keys for which `where` holds."""
        self.guard(table)
        same = " AND ".join(f"t.{name} = s.{name}" for name in on)
        changes = {name: quoted(value) for name, value in values.items()}
        (
            self._delta(table, keys.sparkSession)
            .alias("t")
            .merge(keys.distinct().alias("s"), same)
            .whenMatchedUpdate(condition=where, set=changes)
            .execute()
        )

    def delete(self, table: Table, where: str) -> None:
        """Delete the rows for which the SQL predicate holds."""
        self.guard(table)
        self._delta(table, self.spark).delete(where)

    def keep_parquet(self, frame: DataFrame, key: str) -> None:
        """Keep rows that belong to no table as one Parquet file, in a new folder of the lake.

        Raises:
            AnalysisException: the folder is there already.
        """
        frame.coalesce(1).write.mode("error").parquet(self.store.location(key))

    def version(self, table: Table) -> int:
        """Return the table's newest version."""
        history = self._delta(table, self.spark).history(1).select("version").first()
        return int(history["version"]) if history is not None else -1

    def changes(self, table: Table, *, files_per_batch: int) -> DataFrame:
        """Return the table's change feed as a stream, from its first version on."""
        return (
            self.spark.readStream.format("delta")
            .option("readChangeFeed", "true")
            .option("startingVersion", 0)
            .option("maxFilesPerTrigger", files_per_batch)
            .load(self.location(table))
        )

    def read_version(self, table: Table, version: int) -> DataFrame:
        """Return the rows that the table had at one of its versions."""
        reader = self.spark.read.format("delta").option("versionAsOf", version)
        return reader.load(self.location(table))

    def changed_between(self, table: Table, first: int, last: int) -> DataFrame | None:
        """Return what the versions from `first` to `last`, both included, have changed.

        None where the table has no feed of its changes, or keeps it no longer: maintenance may have
        removed the files of what is older than the table's retention. The rows are the table's,
        with `_change_type` and `_commit_version`.
        """
        properties = self.properties(table)
        if "delta.enableChangeDataFeed" not in properties:
            return None
        commit = commit_of(self.store, table, first)
        if commit is None or commit.made < self.clock.now() - kept_for(properties):
            return None
        reader = self.spark.read.format("delta").option("readChangeFeed", "true")
        reader = reader.option("startingVersion", first).option("endingVersion", last)
        return reader.load(self.location(table))

    def properties(self, table: Table) -> dict[str, str]:
        """Return the table's properties, as they are set."""
        found = self._delta(table, self.spark).detail().select("properties").first()
        return dict(found["properties"]) if found is not None else {}

    def set_properties(self, table: Table, properties: Mapping[str, str]) -> None:
        """Set properties of the table; no data file is written."""
        self.guard(table)
        listed = ", ".join(f"{quoted(key)} = {quoted(value)}" for key, value in properties.items())
        self.spark.sql(f"ALTER TABLE delta.`{self.location(table)}` SET TBLPROPERTIES ({listed})")

    def compact(self, table: Table, where: str, sizes: FileSizes, order: Sequence[str]) -> None:
        """Write the small files of some partitions anew as fewer; no row changes.

        No reader of the table's changes sees a row again: the commit says that it moved data only.

        Args:
            table: of the lake.
            where: a predicate over the partition columns.
            sizes: of files.
            order: columns that rows are brought together by; with any, every file of these
                partitions is written anew, without, only the small ones.
        """
        self.guard(table)
        optimize = self._delta(table, self.spark).optimize().where(where)
        with configured(self.spark, sizes.conf()):
            if order:
                optimize.executeZOrderBy(*order)
            else:
                optimize.executeCompaction()

    def vacuum(self, table: Table) -> None:
        """Remove the files that no version within the table's retention has; it is no commit."""
        self.guard(table)
        with configured(self.spark, {VACUUM_COMMITS: "false"}):
            self._delta(table, self.spark).vacuum()

    def _delta(self, table: Table, spark: SparkSession) -> DeltaTable:
        return DeltaTable.forPath(spark, self.location(table))

    def _clustered(self, frame: DataFrame, table: Table) -> DataFrame:
        """Bring the rows of one partition together, splitting what would make one task too long."""
        return frame.hint("rebalance", *table.partitions) if table.partitions else frame.coalesce(1)


@contextmanager
def _transaction(spark: SparkSession, transaction: Transaction) -> Iterator[None]:
    # Delta takes a MERGE's transaction from the session that runs it: the batch's own
    conf = {
        APP_ID: transaction.application,
        APP_VERSION: str(transaction.version),
        SOURCE_COPY: "none",
    }
    with configured(spark, conf):
        yield


def _same_key(table: Table) -> str:
    return " AND ".join(f"t.{column} = s.{column}" for column in table.key)


def _among(column: str, values: Sequence[str]) -> str:
    listed = ", ".join(quoted(value) for value in sorted(set(values)))
    return f"{column} IN ({listed})"


def quoted(text: str) -> str:
    """Return the text as a SQL string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    # Spark would put a variable's value in the place of ${name}, even within a literal
    escaped = escaped.replace("$", "\\u0024")
    return f"'{escaped}'"
