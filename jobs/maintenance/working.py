"""One table after the other: what is worth it is written anew, and what nobody needs is removed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from pyspark.sql import SparkSession

from jobs.context import Lake
from jobs.maintenance.feeds import unread
from jobs.maintenance.parts import Piece, Shape, Window, parts_of, pieces, shape_of
from lake.borrowing import Terms, borrowed
from lake.clock import to_iso
from lake.contracts import contract_of
from lake.errors import LeaseError
from lake.file_sizes import FileSizes
from lake.lease import Lease
from lake.sections_of_keeping import Maintenance
from lake.storage import Tables
from lake.table_log import RETENTION
from lake.tables import Table

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run found of a table, and left.

    Attributes:
        partitions: that were written anew, or would be.
        removed: files that went, or would go.
        left: why something was left to the next run, empty where nothing was.
    """

    table: str
    before: Shape
    after: Shape
    partitions: int
    removed: int
    left: str


@dataclass(frozen=True, slots=True)
class Run:
    """One run: of which lake, by which session, of which days, and whether it only looks."""

    lake: Lake
    spark: SparkSession
    window: Window
    is_dry: bool

    @property
    def settings(self) -> Maintenance:
        """What the lake's settings say of it."""
        return self.lake.settings.maintenance

    @property
    def reading(self) -> Tables:
        """The lake's tables, to be read."""
        return Tables(self.spark, self.lake.store, clock=self.lake.clock)


def maintain(run: Run, table: Table) -> Outcome | None:
    """Bring one table into shape; None where the lake has no such table.

    Raises:
        StorageError: the store can't be read or written.
    """
    if not run.reading.exists(table):
        return None
    parts = parts_of(run.spark, run.lake.store, table)
    before = shape_of(parts, run.settings.small_file_bytes)
    found = list(pieces(table, parts, run.settings, run.lake.clock.now(), run.window))
    outcome = Outcome(table.name, before, before, sum(one.parts for one in found), 0, "")
    reason = _why_files_stay(run, table)
    if run.is_dry:
        is_clean = bool(reason) or _files_lying(run, table) == before.files
        return replace(outcome, removed=0 if is_clean else _removable(run, table), left=reason)
    done, removed = 0, 0
    try:
        _set_properties(run, table)
        for piece in found:
            _write_anew(run, table, piece)
            done += piece.parts
            log.info("%s partitions=%d of %d", table.name, done, outcome.partitions)
    except LeaseError as error:
        reason = error.what
    after = before
    if done:
        parts = parts_of(run.spark, run.lake.store, table)
        after = shape_of(parts, run.settings.small_file_bytes)
    try:
        removed = 0 if reason else _remove_old_files(run, table, after.files)
    except LeaseError as error:
        reason = error.what
    return replace(outcome, after=after, partitions=done, removed=removed, left=reason)


def _write_anew(run: Run, table: Table, piece: Piece) -> None:
    sizes = FileSizes(run.settings.small_file_bytes, run.settings.target_file_bytes)
    with _alone(run, table) as tables:
        tables.compact(table, piece.where, sizes, piece.order)


def properties_of(table: Table, settings: Maintenance) -> dict[str, str]:
    """Return the properties that a table shall have."""
    wanted = {
        **table.properties,
        **contract_of(table.name),
        RETENTION: f"interval {settings.keep_files_days} days",
        "delta.logRetentionDuration": f"interval {settings.keep_log_days} days",
    }
    if table.statistics:
        wanted["delta.dataSkippingStatsColumns"] = ",".join(table.statistics)
    return wanted


def _set_properties(run: Run, table: Table) -> None:
    """Set what differs: Delta itself drops old versions, each time that it writes a checkpoint."""
    held_ones = run.reading.properties(table)
    wanted = properties_of(table, run.settings)
    changes = {key: value for key, value in wanted.items() if held_ones.get(key) != value}
    if changes:
        with _alone(run, table) as tables:
            tables.set_properties(table, changes)


def _why_files_stay(run: Run, table: Table) -> str:
    """Return why no file may be removed yet: a follower has not read what would be gone."""
    found = unread(run.lake.store, table)
    kept = timedelta(days=run.settings.keep_files_days)
    if found is None or found.made > run.lake.clock.now() - kept:
        return ""
    return (
        f"no file is removed: {found.stream} has not read version {found.version} of"
        f" {to_iso(found.made)} yet; run ./spark-submit.sh pipeline first"
    )


def _removable(run: Run, table: Table) -> int:
    """Return how many files a run would remove now, by the retention that the table has."""
    location = run.reading.location(table)
    return run.spark.sql(f"VACUUM delta.`{location}` DRY RUN").count()


def _remove_old_files(run: Run, table: Table, live: int) -> int:
    """Remove what is old enough; where nothing lies there but the newest version, nothing is."""
    before = _files_lying(run, table)
    if before == live:
        return 0
    with _alone(run, table) as tables:
        tables.vacuum(table)
    return before - _files_lying(run, table)


def _files_lying(run: Run, table: Table) -> int:
    names = run.lake.store.names(f"{table.path}/")
    return sum(1 for name in names if name.endswith(".parquet") and "/_delta_log/" not in name)


@contextmanager
def _alone(run: Run, table: Table) -> Iterator[Tables]:
    """Hold a table for one piece of work; a writer who waits goes before.

    Raises:
        LeaseError: another job holds it, and goes on to.
    """
    lake = run.lake
    terms = Terms(lake.settings.lake.lease_seconds, run.settings.wait_seconds)
    with borrowed(lake.store, lake.clock, (table.name,), terms) as (lease,):
        yield Tables(run.spark, lake.store, _required(lease), lake.clock)


def _required(lease: Lease) -> Callable[[Table], None]:
    def guard(_: Table) -> None:
        lease.require()

    return guard
