"""Files beside bronze: the rows of a window as CSV or Parquet, with the exchange's own digits."""

from __future__ import annotations

import csv
import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from extract.landed_rows import Field, FieldType, Series, Texts, landed_rows
from jobs.bulk.request import DataFormat
from lake.bronze import encoded
from lake.errors import BronzeError, UsageError
from lake.objects import ObjectStore

log = logging.getLogger(__name__)

#: The columns that say whose row it is; the exchange's own fields follow.
IDENTITY = (Field("exchange"), Field("kind"), Field("instrument"))
#: Rows of a row group: what is held in memory, whatever files bronze is cut into.
ROWS_PER_GROUP = 50_000

Rows = Iterable[Sequence[str | None]]
Write = Callable[[Path, Sequence[Field], Rows], None]


def export(
    store: ObjectStore, series: Series, window: tuple[int, int], data_format: DataFormat
) -> str:
    """Write what bronze holds of a window to one file; return its key.

    The same rows give the same bytes. A file of an earlier run that says the same stays as it is;
    one that says something else, as its window had not ended yet, is replaced.

    Args:
        store: the lake.
        series: whose rows.
        window: [from, until) in ms.
        data_format: `csv` or `parquet`.

    Raises:
        UsageError: Parquet is wanted and pyarrow is not installed, or such rows can't be read.
        BronzeError: a bronze file can't be read.
        StorageError: the store refuses.
    """
    key = f"{key_of(series, window)}.{data_format}"
    columns = [*IDENTITY, *series.shape.fields]
    with TemporaryDirectory(prefix="candlelake-") as folder:
        written = Path(folder) / "export"
        WRITERS[data_format](written, columns, _cells(series, landed_rows(store, series, *window)))
        _put(store, key, written)
    return key


def key_of(series: Series, window: tuple[int, int]) -> str:
    """Return where an export lies, without its suffix; its name is its window in UNIX ms."""
    what = f"ohlcv_{series.interval}" if series.interval else series.dataset
    place = "/".join(map(encoded, (series.exchange, series.kind, series.instrument)))
    return f"exports/{what}/{place}/{window[0]}_{window[1]}"


def _cells(series: Series, rows: Iterable[Texts]) -> Iterator[Sequence[str | None]]:
    whose = (series.exchange, series.kind, series.instrument)
    return ((*whose, *row.values()) for row in rows)


def _put(store: ObjectStore, key: str, written: Path) -> None:
    if store.create_file(key, written):
        log.info("export file=%s", key)
        return
    with written.open("rb") as file:
        ours = hashlib.file_digest(file, "sha256").hexdigest()
    if store.read_to(key, Path(os.devnull)) == ours:
        return
    store.delete(key)
    store.create_file(key, written)
    log.info("export replaced file=%s", key)


def _write_csv(target: Path, columns: Sequence[Field], rows: Rows) -> None:
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([column.name for column in columns])
        writer.writerows(rows)


def _write_parquet(target: Path, columns: Sequence[Field], rows: Rows) -> None:
    try:
        import pyarrow as pa  # noqa: PLC0415 - only where Parquet is wanted
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(
            "--data-format parquet needs pyarrow", hint="Install candlelake[spark], or use csv."
        ) from error
    # prices and amounts stay text: a decimal type would lose the digits that the exchange wrote
    types: Mapping[FieldType, Any] = {
        "text": pa.string(),
        "integer": pa.int64(),
        "time": pa.int64(),
        "boolean": pa.bool_(),
    }
    schema = pa.schema([(column.name, types[column.type]) for column in columns])
    with parquet.ParquetWriter(target, schema, compression="zstd") as writer:
        for group in _groups(rows):
            arrays = [
                pa.array([_typed(cell, column) for cell in cells], types[column.type])
                for column, cells in zip(columns, zip(*group, strict=True), strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _groups(rows: Rows) -> Iterator[Sequence[Sequence[str | None]]]:
    remaining = iter(rows)
    while group := list(islice(remaining, ROWS_PER_GROUP)):
        yield group


def _typed(cell: str | None, column: Field) -> str | int | bool | None:
    if cell is None or column.type == "text":
        return cell
    try:
        return cell == "true" if column.type == "boolean" else int(cell)
    except ValueError as error:
        raise BronzeError(f"'{cell}' in '{column.name}' is no whole number") from error


WRITERS: Mapping[DataFormat, Write] = {"csv": _write_csv, "parquet": _write_parquet}
