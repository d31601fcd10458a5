"""The formats of an answer's rows: JSON, CSV, NDJSON, Parquet and Arrow; decimals stay exact."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from serve.api.errors import RefusedError, quoted

Format = Literal["json", "csv", "ndjson", "parquet", "arrow"]
#: What a column holds: UNIX ms, µs, a whole number, a decimal as text, a text, a flag, a document.
Kind = Literal["time", "micros", "integer", "price", "amount", "text", "flag", "document"]
Rows = Sequence[Sequence[Any]]

MEDIA: Mapping[Format, str] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
_FORMAT_OF: Mapping[str, Format] = {
    **{media.partition(";")[0]: name for name, media in MEDIA.items()},
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/parquet": "parquet",
}
#: As gold holds them: see `lake.schemas`, DECIMALS.
_ARROW: Mapping[Kind, pa.DataType] = {
    "time": pa.timestamp("ms", tz="UTC"),
    "micros": pa.timestamp("us", tz="UTC"),
    "integer": pa.int64(),
    "price": pa.decimal128(20, 10),
    "amount": pa.decimal128(38, 18),
    "text": pa.string(),
    "flag": pa.bool_(),
    "document": pa.string(),
}


class Column(NamedTuple):
    """A column of an answer's rows."""

    name: str
    kind: Kind


def chosen(accept: str, asked: Format | None, offered: Iterable[str]) -> Format:
    """Return the format of an answer: what `format=` asks for, else the best of `Accept`.

    Raises:
        RefusedError: 406, none that is asked for is offered.
    """
    held = tuple(offered)
    if asked is not None:
        if asked in held:
            return asked
        raise _not_offered(asked, held)
    if accept in ("", "*/*", "application/json"):
        return "json"
    for media in _by_preference(accept):
        name = _FORMAT_OF.get(media)
        if name is not None and name in held:
            return name
        if media in ("*/*", "application/*", "text/html"):
            return "json"
        if media == "text/*" and "csv" in held:
            return "csv"
    raise _not_offered(accept, held)


def _by_preference(accept: str) -> list[str]:
    """Return the media types of an `Accept` header, the most wanted first; of weight 0, none."""
    wanted = []
    for part in accept.lower().split(",")[:20]:
        media, *parameters = (word.strip() for word in part.split(";"))
        weight = next((word[2:] for word in parameters if word.startswith("q=")), "1")
        wanted.append((weight.ljust(5, "0") if "." in weight else f"{weight}.000", media))
    ranked = sorted(wanted, key=lambda one: one[0], reverse=True)
    return [media for weight, media in ranked if weight.strip("0.")]


def _not_offered(asked: str, offered: Sequence[str]) -> RefusedError:
    hint = f"Ask with ?format= for one of {', '.join(offered)}."
    return RefusedError(406, "not_acceptable", f"'{quoted(asked)}' is not offered here", hint=hint)


def json_rows(columns: Sequence[Column], rows: Rows) -> bytes:
    """Return rows as a JSON array of objects."""
    names = [column.name for column in columns]
    return orjson.dumps([dict(zip(names, row, strict=True)) for row in rows])


def ndjson(columns: Sequence[Column], rows: Rows) -> bytes:
    """Return rows as one JSON object a line."""
    names = [column.name for column in columns]
    lines = [
        orjson.dumps(dict(zip(names, row, strict=True)), option=orjson.OPT_APPEND_NEWLINE)
        for row in rows
    ]
    return b"".join(lines)


def comma_separated(columns: Sequence[Column], rows: Rows, *, header: bool = True) -> bytes:
    """Return rows as CSV (RFC 4180, UTF-8); a null is an empty field, a flag true or false."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    if header:
        writer.writerow([column.name for column in columns])
    writers = [_CELL.get(column.kind) for column in columns]
    if any(writers):
        writer.writerows(
            [cell(value) if cell else value for cell, value in zip(writers, row, strict=True)]
            for row in rows
        )
    else:
        writer.writerows(rows)
    return text.getvalue().encode()


def _flag(value: Any) -> str:
    return "" if value is None else "true" if value else "false"


def _document(value: Any) -> str:
    return orjson.dumps(value).decode()


_CELL: Mapping[Kind, Callable[[Any], str]] = {"flag": _flag, "document": _document}


def table(columns: Sequence[Column], rows: Rows) -> pa.Table:
    """Return rows as an Arrow table: times are timestamps, decimals are decimals."""
    values: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * len(columns)
    arrays = [_array(column, held) for column, held in zip(columns, values, strict=True)]
    return pa.table(arrays, names=[column.name for column in columns])


def _array(column: Column, values: Sequence[Any]) -> pa.Array:
    wanted = _ARROW[column.kind]
    if column.kind in ("price", "amount"):
        return pa.array(values, pa.string()).cast(wanted)
    if column.kind == "document":
        return pa.array([_document(value) for value in values], wanted)
    return pa.array(values, wanted)


def parquet(columns: Sequence[Column], rows: Rows) -> bytes:
    """Return rows as a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(table(columns, rows), sink, compression="zstd")
    return sink.getvalue()


def arrow(columns: Sequence[Column], rows: Rows) -> bytes:
    """Return rows as an Arrow IPC stream."""
    held = table(columns, rows)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, held.schema) as writer:
        writer.write_table(held)
    return sink.getvalue()


#: How rows are written where they are the whole body: everything but JSON.
WRITERS: Mapping[str, Callable[[Sequence[Column], Rows], bytes]] = {
    "csv": comma_separated,
    "ndjson": ndjson,
    "parquet": parquet,
    "arrow": arrow,
}
