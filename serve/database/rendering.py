"""Bars as text: exact decimals in plain notation, and blocks of JSON as the API writes it.

Everything is done by columns in Arrow: no value passes through Python by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from serve.database.intervals import block_ms
from serve.database.schema import PRICES, SUMS
from serve.records import plain

#: What a rendered bar tells, in this order: the API's default columns, labelled by the start.
RENDERED = (
    *("time", "open", "high", "low", "close", "volume", "base_volume", "quote_volume"),
    *("trade_count", "is_complete", "is_filled"),
)
#: The columns of `bars` as Arrow holds them on their way into the database, decimals as text.
TYPES = {
    **dict.fromkeys(
        ("bar_start", "trade_count", "first_trade_seq", "last_trade_seq", "knowledge_us"),
        pa.int64(),
    ),
    "series_id": pa.int32(),
    "revision": pa.int32(),
    "bar_minutes": pa.int16(),
    "is_complete": pa.bool_(),
    "built_from": pa.string(),
    **dict.fromkeys((*PRICES, *SUMS), pa.string()),
}
#: What of `bars` is not rendered.
NOT_RENDERED = tuple(name for name in SUMS if name.startswith("taker"))
#: Decimals of so small a size Arrow writes with an exponent.
SMALLEST_PLAIN = Decimal("0.000001")
CODEC = pa.Codec("lz4_raw")
#: Threads that write columns: Arrow lets go of Python meanwhile.
SIDE_BY_SIDE = 2


class Block(NamedTuple):
    """Rendered bars of one block: packed, how many they are, and how many bytes unpacked."""

    series_id: int
    bar_minutes: int
    block: int
    bars: int
    text_bytes: int
    content: bytes


def exact_text(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Return decimals as text in plain notation without trailing zeros; null stays null."""
    text = pc.cast(column, pa.string())
    is_small = pc.and_(pc.less(pc.abs(column), SMALLEST_PLAIN), pc.not_equal(column, 0))
    if column.type.scale > 0:
        text = pc.utf8_rtrim(pc.utf8_rtrim(text, "0"), ".")
    text = pc.if_else(pc.equal(column, 0), "0", text)
    if not pc.any(is_small).as_py():
        return text
    small = pc.filter(column, is_small).to_pylist()
    chosen = pa.array([plain(value) for value in small if value is not None], pa.string())
    # where the mask is null the value is
    return pc.replace_with_mask(_whole(text), _whole(pc.fill_null(is_small, False)), chosen)


def in_text(bars: pa.Table, without: Collection[str] = ()) -> pa.Table:
    """Return bars whose decimals are text, in the columns and the order of `TYPES`.

    Args:
        bars: the columns of the table `bars`; decimals may be decimals or text.
        without: columns that are not wanted.
    """
    wanted = {name: kind for name, kind in TYPES.items() if name not in without}
    exact = [name for name in wanted if pa.types.is_decimal(bars.column(name).type)]
    texts = _texts({name: bars.column(name) for name in exact})
    columns = [
        texts[name] if name in texts else pc.cast(bars.column(name), kind)
        for name, kind in wanted.items()
    ]
    return pa.table(columns, names=list(wanted))


def _texts(columns: Mapping[str, pa.ChunkedArray]) -> Mapping[str, pa.ChunkedArray | pa.Array]:
    """Write decimals as text, side by side; of columns that are equal only the first is written.

    Where a quantity is one of the base asset, `volume` and `base_volume` are.
    """
    alike: dict[str, str] = {}
    for name, column in columns.items():
        alike[name] = next((one for one in alike if columns[one].equals(column)), name)
    distinct = sorted(set(alike.values()))
    with ThreadPoolExecutor(SIDE_BY_SIDE) as threads:
        written = threads.map(exact_text, (columns[name] for name in distinct))
        texts = dict(zip(distinct, written, strict=True))
    return {name: texts[first] for name, first in alike.items()}


def blocks(bars: pa.Table) -> Iterator[Block]:
    """Yield the blocks of bars that lie side by side, sorted by series, interval and start.

    Args:
        bars: as `in_text` returns them; each block is whole in them.
    """
    if not bars.num_rows:
        return
    lines = _whole(_objects(bars))
    _, places, text = lines.buffers()
    offsets = np.frombuffer(places, np.int32)[lines.offset :]
    for first, last, key in _stretches(bars):
        # each object ends with a comma: the last one's is not of the block
        size = int(offsets[last] - offsets[first]) - 1
        content = CODEC.compress(text.slice(int(offsets[first]), size), asbytes=True)
        yield Block(key[0], key[1], key[2], last - first, size, content)


def unpacked(content: bytes, text_bytes: int) -> bytes:
    """Return a block's JSON objects, parted by commas."""
    return bytes(CODEC.decompress(content, text_bytes, asbytes=True))


def block_numbers(bars: pa.Table) -> pa.Array:
    """Return the block that each bar lies in."""
    minutes = pc.cast(bars.column("bar_minutes"), pa.int64())
    return pc.divide(bars.column("bar_start"), pc.multiply(minutes, block_ms(1)))


def _stretches(bars: pa.Table) -> Iterator[tuple[int, int, Sequence[Any]]]:
    """Yield where each block begins and ends, and its key."""
    numbers = block_numbers(bars)
    key = pa.table(
        [bars.column("series_id"), bars.column("bar_minutes"), numbers], names=["s", "m", "b"]
    )
    before, after = key.slice(0, key.num_rows - 1), key.slice(1)
    differs = reduce(
        pc.or_, (pc.not_equal(before.column(n), after.column(n)) for n in key.column_names)
    )
    starts = [0, *(place + 1 for place in pc.indices_nonzero(differs).to_pylist())]
    values = key.take(pa.array(starts)).to_pydict()
    ends = [*starts[1:], key.num_rows]
    yield from zip(starts, ends, zip(*values.values(), strict=True), strict=True)


def _objects(bars: pa.Table) -> pa.ChunkedArray | pa.Array:
    parts: list[Any] = ['{"time":', pc.cast(bars.column("bar_start"), pa.string())]
    for name in (*PRICES, "volume", "base_volume", "quote_volume"):
        column = bars.column(name)
        if column.null_count:
            quoted = pc.binary_join_element_wise('"', column, '"', "")
            parts += [f',"{name}":', pc.fill_null(quoted, "null"), ""]
        else:
            parts += [f',"{name}":"', column, '"']
    complete = pc.if_else(bars.column("is_complete"), "true", "false")
    parts += [',"trade_count":', pc.cast(bars.column("trade_count"), pa.string())]
    parts += [',"is_complete":', complete, ',"is_filled":false},']
    return pc.binary_join_element_wise(*_merged(parts), "")


def _merged(parts: Sequence[Any]) -> list[Any]:
    """Join texts that stand side by side: each part costs as much as a column."""
    merged: list[Any] = []
    for part in parts:
        if merged and isinstance(part, str) and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    return merged


def _whole(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
