"""The partitions of a table as its log tells of them, and which are worth writing anew."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import and_

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from lake.objects import ObjectStore
from lake.sections_of_keeping import Maintenance
from lake.storage import quoted
from lake.table_log import files_of
from lake.tables import Table

#: Of one column, so many values stand in a predicate.
MOST_VALUES = 200
#: What says of which venue a row is: of few values, so rows are not ordered by them.
VENUE = ("exchange", "kind")


@dataclass(frozen=True, slots=True)
class Part:
    """One partition of a table.

    Attributes:
        values: of the partition columns, in order; None is a null.
        sizes: of its files (bytes).
        unknown: files of which the log has no statistics.
    """

    values: tuple[str | None, ...]
    sizes: tuple[int, ...]
    unknown: int

    @property
    def bytes(self) -> int:
        """All its files together."""
        return sum(self.sizes)


@dataclass(frozen=True, slots=True)
class Piece:
    """Partitions that are written anew in one commit, and the columns that order their rows."""

    where: str
    parts: int
    order: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """The files of a table: how many, all their bytes, the median of their sizes, small ones."""

    files: int
    bytes: int
    median: int
    small: int


@dataclass(frozen=True, slots=True)
class Window:
    """The days whose partitions are looked at; None is without a bound."""

    start: datetime | None
    end: datetime | None

    @property
    def is_bounded(self) -> bool:
        """Whether it leaves anything out."""
        return self.start is not None or self.end is not None

    def meets(self, span: tuple[datetime, datetime] | None) -> bool:
        """Tell whether a partition of this span is looked at; one without days is if all are."""
        if span is None:
            return not self.is_bounded
        first, after = span
        return (self.end is None or first < self.end) and (self.start is None or after > self.start)


def parts_of(spark: SparkSession, store: ObjectStore, table: Table) -> Sequence[Part]:
    """Return the partitions of the table's newest version, in order.

    Raises:
        StorageError: the store can't be read.
    """
    values = [F.col("partition_values")[name].alias(name) for name in table.partitions]
    files = files_of(spark, store, table)
    grouped = files.groupBy(*values).agg(
        F.sort_array(F.collect_list("size")), F.count_if(~_is_told(table))
    )
    found = [Part(tuple(row[:-2]), tuple(row[-2]), row[-1]) for row in grouped.collect()]
    return sorted(found, key=lambda part: [_place(value) for value in part.values])


def shape_of(parts: Sequence[Part], small_file_bytes: int) -> Shape:
    """Return how many files, and how large, the partitions have."""
    sizes = [size for part in parts for size in part.sizes]
    small = sum(size < small_file_bytes for size in sizes)
    return Shape(len(sizes), sum(sizes), int(statistics.median(sizes)) if sizes else 0, small)


def pieces(
    table: Table, parts: Sequence[Part], sizes: Maintenance, now: datetime, window: Window
) -> Iterator[Piece]:
    """Yield what of a table is worth writing anew, in pieces.

    A closed day, or month, is where two of its files are small: they were written since it was last
    done. Its rows are brought into the order that they are read by. Where more is still to come
    only small files are merged, and only many; a day that goes on is left alone.

    Args:
        table: of the lake.
        parts: its partitions.
        sizes: what is small, and how much is done at a time.
        now: the present.
        window: which days are looked at.
    """
    group: list[Part] = []
    order: tuple[str, ...] = ()
    for part in parts:
        wanted = _order_of(table, part, sizes, now, window)
        if wanted is None:
            continue
        is_full = group and (
            wanted != order
            or part.values[:-1] != group[-1].values[:-1]
            or len(group) == MOST_VALUES
            or sum(one.bytes for one in group) + part.bytes > sizes.piece_bytes
        )
        if is_full:
            yield _piece(table, group, order)
            group = []
        group.append(part)
        order = wanted
    if group:
        yield _piece(table, group, order)


def clustering(table: Table) -> tuple[str, ...]:
    """Return what rows of a table are brought together by: what files are skipped by."""
    return tuple(name for name in table.statistics if name not in VENUE)


def _order_of(
    table: Table, part: Part, sizes: Maintenance, now: datetime, window: Window
) -> tuple[str, ...] | None:
    """Return by which columns a partition is ordered, None where it is left alone."""
    span = _span(table, part)
    if not window.meets(span):
        return None
    small = sum(size < sizes.small_file_bytes for size in part.sizes)
    if span is not None and span[1] + timedelta(seconds=sizes.closed_seconds) <= now:
        return clustering(table) if small > 1 or part.unknown else None
    is_a_day = "day" in table.partitions
    return () if small >= sizes.open_files and not is_a_day else None


def _span(table: Table, part: Part) -> tuple[datetime, datetime] | None:
    """Return the beginning and end of a partition's day or month, None where it has none."""
    told = dict(zip(table.partitions, part.values, strict=True))
    if told.get("year") is None or told.get("month") is None:
        return None
    year, month, day = int(told["year"] or 0), int(told["month"] or 0), told.get("day")
    first = datetime(year, month, int(day or 1), tzinfo=UTC)
    if day is not None:
        return first, first + timedelta(days=1)
    return first, datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)


def _piece(table: Table, group: Sequence[Part], order: tuple[str, ...]) -> Piece:
    if not table.partitions:
        return Piece("true", 1, order)
    *shared, last = table.partitions
    terms = [
        _equals(table, name, value)
        for name, value in zip(shared, group[0].values[:-1], strict=True)
    ]
    values = [part.values[-1] for part in group]
    named = [_literal(table, last, value) for value in values if value is not None]
    among = [f"{last} IN ({', '.join(named)})"] if named else []
    if None in values:
        among.append(f"{last} IS NULL")
    return Piece(" AND ".join([*terms, f"({' OR '.join(among)})"]), len(group), order)


def _equals(table: Table, name: str, value: str | None) -> str:
    return f"{name} IS NULL" if value is None else f"{name} = {_literal(table, name, value)}"


def _literal(table: Table, name: str, value: str) -> str:
    is_text = isinstance(table.schema[name].dataType, T.StringType)
    return quoted(value) if is_text else str(int(value))


def _place(value: str | None) -> tuple[bool, bool, int, str]:
    is_number = value is not None and value.isdecimal()
    return (value is not None, is_number, int(value or 0) if is_number else 0, value or "")


def _is_told(table: Table) -> Column:
    """Tell whether the log has statistics of what the table is read by."""
    told = [
        F.get_json_object("stats", f"$.nullCount.{name}").isNotNull() for name in table.statistics
    ]
    return reduce(and_, told, F.lit(True))
