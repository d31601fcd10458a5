"""Tables into one file, part by part: the file is there whole, or not at all."""

from __future__ import annotations

import csv
import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc as pi
import pyarrow.parquet as pq

from lake.errors import ServeError
from serve.files.exact import as_text

#: Small parts are put together up to so many rows: a row group or a batch of a file.
GROUP_ROWS = 65_536


class Format(StrEnum):
    """What kind of file is written."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"
    FEATHER = "feather"


Write = Callable[[Iterable[pa.Table], pa.Schema, BinaryIO], None]


def write_csv(tables: Iterable[pa.Table], schema: pa.Schema, file: BinaryIO) -> None:
    """Write CSV with a header: decimals as exact text, times as ISO 8601, null as nothing."""
    with _text(file) as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(schema.names)
        for table in tables:
            columns = (as_text(column).to_pylist() for column in table.columns)
            writer.writerows(zip(*columns, strict=True))


def write_records(tables: Iterable[pa.Table], schema: pa.Schema, file: BinaryIO) -> None:
    """Write a JSON array, one object a line; decimals and times as text, as exact as in CSV."""
    names = [f"{json.dumps(name, ensure_ascii=False)}:" for name in schema.names]
    starts = [("{" if not place else ",") + name for place, name in enumerate(names)]
    bare = [_is_bare(field.type) for field in schema]
    _lines(file, (_joined(table, starts, bare, "}") for table in tables))


def write_values(tables: Iterable[pa.Table], schema: pa.Schema, file: BinaryIO) -> None:
    """Write a JSON array of arrays without names; a decimal is a number, with all its digits."""
    starts = ["[", *[","] * (len(schema) - 1)]
    bare = [_is_bare(field.type) or pa.types.is_decimal(field.type) for field in schema]
    _lines(file, (_joined(table, starts, bare, "]") for table in tables))


def write_parquet(tables: Iterable[pa.Table], schema: pa.Schema, file: BinaryIO) -> None:
    """Write Parquet: decimals as such, times in microseconds."""
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)


def write_feather(tables: Iterable[pa.Table], schema: pa.Schema, file: BinaryIO) -> None:
    """Write Feather version 2, an Arrow file."""
    options = pi.IpcWriteOptions(compression="lz4")
    with pi.new_file(file, schema, options=options) as writer:
        for table in tables:
            writer.write_table(table.combine_chunks())


WRITERS: Mapping[Format, Write] = {
    Format.CSV: write_csv,
    Format.JSON: write_records,
    Format.PARQUET: write_parquet,
    Format.FEATHER: write_feather,
}


@contextmanager
def unfinished(path: Path) -> Iterator[tuple[BinaryIO, Callable[[Path], None]]]:
    """Give a hidden file beside `path`, and what gives it its name once it is whole.

    Without the call nothing is left. What a killed run has left is written over.

    Raises:
        ServeError: the folder can't be written, or another export writes this file now.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as file:
            _lock(file, part)
            file.truncate(0)

            def finish(target: Path) -> None:
                file.flush()
                os.fsync(file.fileno())
                part.replace(target)

            try:
                yield file, finish
            finally:
                part.unlink(missing_ok=True)
    except BlockingIOError:
        raise ServeError("another export writes this file now", where=str(path)) from None
    except OSError as error:
        raise ServeError(
            f"the file can't be written: {error.strerror or error}",
            where=str(path),
            hint="Check the disk's space and the folder's rights; nothing half-written is left.",
        ) from error


def _lock(file: BinaryIO, path: Path) -> None:
    """Take a file for this process alone; its other writer may have renamed it just now."""
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if not (path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat())):
        raise BlockingIOError


def grouped(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Put small parts together, so that a file has few row groups."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(one.num_rows for one in waiting) >= GROUP_ROWS:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def _is_bare(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def _joined(table: pa.Table, starts: list[str], bare: list[bool], end: str) -> pa.Array:
    """Return each row as one JSON text: what stands before each value, and the value."""
    words: list[pa.Array | str] = []
    for start, column, is_bare in zip(starts, table.columns, bare, strict=True):
        text = as_text(column)
        if not is_bare:
            text = _quoted(text, may_need_escapes=pa.types.is_string(column.type))
        words += [start, pc.fill_null(text, "null")]
    return pc.binary_join_element_wise(*words, end, "")


def _quoted(text: pa.Array, *, may_need_escapes: bool) -> pa.Array:
    if not may_need_escapes:
        return pc.binary_join_element_wise('"', text, '"', "")
    different = text.dictionary_encode()
    escaped = [json.dumps(one, ensure_ascii=False) for one in different.dictionary.to_pylist()]
    return pa.DictionaryArray.from_arrays(
        different.indices, pa.array(escaped, pa.string())
    ).dictionary_decode()


def _lines(file: BinaryIO, blocks: Iterable[pa.Array]) -> None:
    with _text(file) as out:
        parted = "[\n"
        for block in blocks:
            out.write(parted + ",\n".join(block.to_pylist()))
            parted = ",\n"
        out.write("[]\n" if parted == "[\n" else "\n]\n")


@contextmanager
def _text(file: BinaryIO) -> Iterator[TextIOWrapper]:
    out = TextIOWrapper(file, encoding="utf-8", newline="", write_through=False)
    yield out
    # the file itself stays open: it is not finished yet
    out.detach()
