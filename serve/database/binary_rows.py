"""Bars in PostgreSQL's binary form, for COPY: from decimals by columns, with no text between.

A decimal is sent as groups of four digits around its point. PostgreSQL takes away those that are
zero at either end, so all rows of a piece can have as many: they are records of one size then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from serve.database.schema import PRICES, SUMS

DECIMALS = (*PRICES, *SUMS)
#: Without `is_complete`, which is one byte.
WHOLE_NUMBERS = {
    **dict.fromkeys(
        ("bar_start", "trade_count", "first_trade_seq", "last_trade_seq", "knowledge_us"), ">i8"
    ),
    "series_id": ">i4",
    "revision": ">i4",
    "bar_minutes": ">i2",
}
#: In the order of the stream.
COLUMNS = (*WHOLE_NUMBERS, "built_from", *DECIMALS, "is_complete")
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
#: Decimals whose fraction is one 64-bit number, and of which eight digits can be taken off.
SCALES = range(9, 19)
MOST_WHOLE = 10**15
LIMB = 1 << 32
#: Rows that are written at once: what they need on the way is small enough to be had again.
ROWS_AT_ONCE = 8192
GROUP = 10_000
#: How many zeros a group of four digits ends with.
ZEROS = np.array([sum(number % 10**n == 0 for n in (1, 2, 3)) for number in range(GROUP)], np.int16)
Numbers = np.ndarray


class Digits(NamedTuple):
    """Decimals as groups of digits: so many before the point, and how many digits follow it."""

    groups: Sequence[Numbers]
    whole_groups: int
    scale: Numbers


def plain(bars: pa.Table) -> pa.Array:
    """Return of each bar whether it can be written in this form; others are rare.

    Those have a null, a number below zero or a whole part of more than 15 digits, or a source
    whose name is no whole number of 16-bit words.
    """
    if not all(_is_decimal(bars.column(name).type) for name in DECIMALS):
        return pa.repeat(False, bars.num_rows)
    length = pc.binary_length(bars.column("built_from")).to_numpy()
    found: Numbers = length % 2 == 0
    for name in DECIMALS:
        column = _whole(bars.column(name))
        _, high = _words(column)
        found &= (high >= 0) & (high < MOST_WHOLE * 10**column.type.scale >> 64)
        if column.null_count:
            found &= column.is_valid().to_numpy(zero_copy_only=False)
    return pa.array(found)


def written(bars: pa.Table) -> list[memoryview | bytes]:
    """Return the pieces of a whole stream.

    Args:
        bars: those that are `plain`, with the columns of the table `bars`.
    """
    pieces: list[memoryview | bytes] = [HEADER]
    sources = pc.unique(bars.column("built_from")).to_pylist()
    for source in sources:
        is_its = pc.equal(bars.column("built_from"), source)
        rows = bars if len(sources) == 1 else bars.filter(is_its)
        for place in range(0, rows.num_rows, ROWS_AT_ONCE):
            part = rows.slice(place, ROWS_AT_ONCE)
            pieces.append(_records(part, source.encode()).reshape(-1).data)
    return [*pieces, TRAILER]


def _is_decimal(kind: pa.DataType) -> bool:
    return pa.types.is_decimal128(kind) and kind.scale in SCALES


def _records(bars: pa.Table, source: bytes) -> Numbers:
    """Return rows of bytes: words of 16 bits, and the one odd byte of `is_complete` at the end."""
    first, places = _layout(bars, source)
    words = np.tile(first, (bars.num_rows, 1))
    for place, column in places:
        words[:, place] = column
    records = np.empty((bars.num_rows, first.nbytes + 1), np.uint8)
    records[:, :-1] = words.view(np.uint8)
    records[:, -1] = _numbers(bars, "is_complete")
    return records


def _layout(bars: pa.Table, source: bytes) -> tuple[Numbers, list[tuple[int, Numbers]]]:
    """Return the words that are alike in all rows, and where the others have their places."""
    words = [len(COLUMNS)]
    places: list[tuple[int, Numbers]] = []

    def add(constants: Sequence[int], columns: Sequence[Numbers]) -> None:
        words.extend((0, 2 * (len(constants) + len(columns)), *constants))
        places.extend(enumerate(columns, start=len(words)))
        words.extend([0] * len(columns))

    for name, kind in WHOLE_NUMBERS.items():
        column = _numbers(bars, name).astype(kind).view(np.int16).reshape(bars.num_rows, -1)
        add((), list(column.T))
    add(np.frombuffer(source, ">i2").tolist(), ())
    for of in _digits_of(bars):
        changing = [column.astype(">i2").view(np.int16) for column in (of.scale, *of.groups)]
        add((len(of.groups), of.whole_groups - 1, 0), changing)
    return np.array([*words, 0, 1], ">i2").view(np.int16), places


def _numbers(bars: pa.Table, name: str) -> Numbers:
    found: Numbers = _whole(bars.column(name)).to_numpy(zero_copy_only=False)
    return found


def _digits_of(bars: pa.Table) -> Iterator[Digits]:
    """Yield the digits of each column of decimals; where two are equal, found once."""
    known: list[tuple[pa.Array, Digits]] = []
    for name in DECIMALS:
        column = _whole(bars.column(name))
        digits = next((found for one, found in known if one.equals(column)), None)
        if digits is None:
            digits = _digits(column)
            known.append((column, digits))
        yield digits


def _digits(column: pa.Array) -> Digits:
    whole, rest = _parted(column)
    scale = column.type.scale
    # eight digits of the fraction, and the others filled up to whole groups
    tail_unit = 10 ** (scale - 8)
    tail_groups = -(-(scale - 8) // 4)
    head, tail = rest // tail_unit, rest % tail_unit * 10 ** (tail_groups * 4 - (scale - 8))
    fraction = [*_groups(head, 2), *_groups(tail, tail_groups)]
    while fraction and not fraction[-1].any():
        fraction.pop()
    digits = np.zeros(len(whole), np.int16)
    for number, group in enumerate(fraction):
        digits = np.where(group, 4 * (number + 1) - ZEROS[group], digits)
    greatest = int(whole.max(initial=0))
    before = -(-len(str(greatest)) // 4)
    return Digits([*_groups(whole, before), *fraction], before, digits)


def _groups(numbers: Numbers, count: int) -> list[Numbers]:
    """Return the lowest groups of four digits, the highest of them first."""
    found = []
    for _ in range(count):
        found.append((numbers % GROUP).astype(np.int16))
        numbers = numbers // GROUP
    return found[::-1]


def _parted(column: pa.Array) -> tuple[Numbers, Numbers]:
    """Return the whole part, and the fraction as a number of the last place."""
    low, high = _words(column)
    scale = column.type.scale
    if not high.any():
        return _divided(low, 10**scale)
    limbs = [*_limbs(high.view(np.uint64)), *_limbs(low)]
    limbs, last = _long_divided(limbs, 10**9)
    # the whole part has no more than 50 bits
    limbs, first = _long_divided(limbs, 10 ** (scale - 9))
    return limbs[-2] << np.uint64(32) | limbs[-1], first * np.uint64(10**9) + last


def _limbs(numbers: Numbers) -> tuple[Numbers, Numbers]:
    return numbers >> np.uint64(32), numbers & np.uint64(LIMB - 1)


def _divided(numbers: Numbers, by: int) -> tuple[Numbers, Numbers]:
    quotient = numbers // np.uint64(by)
    return quotient, numbers - quotient * np.uint64(by)


def _long_divided(limbs: Sequence[Numbers], by: int) -> tuple[list[Numbers], Numbers]:
    """Divide numbers of 32-bit limbs, the highest first, by one of at most 30 bits."""
    while len(limbs) > 2 and not limbs[0].any():
        limbs = limbs[1:]
    quotients = []
    rest = np.zeros(len(limbs[0]), np.uint64)
    for limb in limbs:
        quotient, rest = _divided(rest << np.uint64(32) | limb, by)
        quotients.append(quotient)
    return quotients, rest


def _words(column: pa.Array) -> tuple[Numbers, Numbers]:
    words = np.frombuffer(column.buffers()[1], np.int64).reshape(-1, 2)
    words = words[column.offset : column.offset + len(column)]
    return words[:, 0].view(np.uint64), words[:, 1]


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
