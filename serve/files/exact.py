"""Columns of exact decimals as files want them: text, nearest doubles, fixed point."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from lake.errors import ServeError
from serve.records import plain

#: What freqtrade's columns are made of; the lake itself has none.
DOUBLE = pa.float64()
#: nautilus_trader's fixed point: 16 decimals in 16 bytes.
FIXED_DECIMALS = 16


def as_text(column: pa.ChunkedArray) -> pa.Array:
    """Return each value as exact text; a null stays null.

    Decimals are in plain notation without trailing zeros, timestamps ISO 8601 in UTC with
    microseconds, booleans `true` and `false`.
    """
    values = column.combine_chunks()
    if pa.types.is_decimal(values.type):
        return _decimals(values)
    if pa.types.is_timestamp(values.type):
        micros = values.cast(pa.timestamp("us", values.type.tz))
        return pc.strftime(micros, format="%Y-%m-%dT%H:%M:%SZ")
    return values.cast(pa.string())


def _decimals(values: pa.Array) -> pa.Array:
    text = values.cast(pa.string())
    if values.type.scale <= 0:
        return text
    trimmed = pc.utf8_rtrim(pc.utf8_rtrim(text, "0"), ".")
    # a very small number, and zero itself, come in scientific notation
    odd = pc.fill_null(pc.match_substring(text, "E"), False)
    mended = [plain(value) for value in values.filter(odd).to_pylist()]
    return pc.replace_with_mask(trimmed, odd, pa.array(mended, pa.string()))


def as_floats(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return decimals as the nearest doubles; by way of text, as Arrow's own cast is not exact."""
    return column.cast(pa.string()).cast(DOUBLE)


def as_fixed(column: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    """Return decimals as nautilus_trader's 16 bytes, integers of 10^-16, exactly.

    Raises:
        ServeError: a value has more than 16 decimals; `where` names the column in the message.
    """
    try:
        fixed = column.cast(pa.decimal128(38, FIXED_DECIMALS))
    except pa.ArrowInvalid as error:
        raise ServeError(
            f"a value of {where} does not fit nautilus_trader's {FIXED_DECIMALS} decimals",
            hint="Export it in the style candlelake, which keeps every digit.",
        ) from error
    kind = pa.binary(16)
    # an Arrow decimal is a little-endian integer of 16 bytes already
    chunks = [
        pa.Array.from_buffers(kind, len(chunk), chunk.buffers(), offset=chunk.offset)
        for chunk in fixed.chunks
    ]
    return pa.chunked_array(chunks, kind)


def decimals_needed(column: pa.ChunkedArray) -> int:
    """Return how many decimals the values of a decimal column need at least."""
    for decimals in range(column.type.scale):
        if pc.all(pc.equal(pc.round(column, decimals), column), min_count=0).as_py():
            return decimals
    return int(column.type.scale)
