"""What a style settles for the file of one series."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from serve.files.asked import Asked, Dataset
from serve.files.writing import Write

Range = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Form:
    """The file of one series.

    Attributes:
        place: the file's place below the export's folder, of the times of its first and last row.
        times: the columns that these two times are taken of.
        keep: leaves out the rows that the style can't hold.
        schema: of the rows that `shape` returns.
        shape: puts the rows that are kept into the style's columns and types.
        writer: writes them.
    """

    place: Callable[[Range], PurePosixPath]
    times: tuple[str, str]
    keep: Callable[[pa.Table], pa.Table]
    schema: pa.Schema
    shape: Callable[[pa.Table], pa.Table]
    writer: Write


def priced(rows: pa.Table) -> pa.Table:
    """Leave out what is no market print: a bar without a price, a trade beside the book."""
    if "print_kind" in rows.schema.names:
        return rows.filter(pc.equal(rows["print_kind"], "book"))
    return rows.filter(pc.is_valid(rows["close"])) if "close" in rows.schema.names else rows


def range_named(asked: Asked, rows: Range) -> Range:
    """Return the range that a name tells: the one asked for, where open the rows' own.

    Of prints that is whole days; of bars from the first start to the last end.
    """
    first, last = rows
    if asked.dataset is not Dataset.BARS:
        first, last = (one.replace(hour=0, minute=0, second=0, microsecond=0) for one in rows)
        last += timedelta(days=1)
    return asked.start or first, asked.end or last
