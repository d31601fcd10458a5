"""The rows of one series, as a style wants them, into one file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from lake.clock import EPOCH
from serve.files.styles.form import Form
from serve.files.writing import grouped, unfinished

#: Told the number of rows read, part by part.
Count = Callable[[int], None]


@dataclass(slots=True)
class Written:
    """What became of the rows of a series.

    Attributes:
        path: the file, None where no row was left to write.
        left_out: rows that the style can't hold.
        incomplete: bars that are written and not proved complete.
    """

    path: Path | None = None
    rows: int = 0
    left_out: int = 0
    incomplete: int = 0
    first: datetime = EPOCH
    last: datetime = EPOCH


def export(form: Form, parts: Iterable[pa.Table], out: Path, count: Count) -> Written:
    """Write one file below the folder `out`; it is there whole, or not at all.

    Args:
        form: what the style settles for this series.
        parts: its rows in order, in parts that fit in memory.
        out: the export's folder.
        count: told how many rows were read.

    Raises:
        ServeError: the file can't be written, or a value does not fit the style.
    """
    done = Written()
    named_alike = out / form.place((EPOCH, EPOCH))
    with unfinished(named_alike) as (file, finish):
        kept = _kept(form, parts, done, count)
        form.writer((form.shape(table) for table in grouped(kept)), form.schema, file)
        if done.rows:
            done.path = out / form.place((done.first, done.last))
            finish(done.path)
    return done


def _kept(form: Form, parts: Iterable[pa.Table], done: Written, count: Count) -> Iterator[pa.Table]:
    for part in parts:
        kept = form.keep(part)
        count(part.num_rows)
        done.left_out += part.num_rows - kept.num_rows
        if not kept.num_rows:
            continue
        first, last = (kept[name] for name in form.times)
        done.first = done.first if done.rows else first[0].as_py()
        done.last = last[-1].as_py()
        done.rows += kept.num_rows
        if "is_complete" in kept.schema.names:
            done.incomplete += pc.sum(pc.invert(kept["is_complete"])).as_py() or 0
        yield kept
