"""Decimals and bars as text: every digit, no exponent, no trailing zero."""

from __future__ import annotations

import json
from decimal import Context, Decimal

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from serve.database import rendering
from serve.records import plain
from tests.serve_database.databases import MIDNIGHT, MINUTE, bars_of

WIDE = Context(prec=60)
DIGITS = st.integers(-(10**38) + 1, 10**38 - 1) | st.integers(-99, 99)
EXACT = DIGITS.map(lambda digits: Decimal(digits).scaleb(-18, WIDE))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.none() | EXACT))
def test_decimals_are_written_in_plain_notation(values: list[Decimal | None]) -> None:
    column = pa.array(values, pa.decimal128(38, 18))
    parted = pa.chunked_array([column[:2], column[2:]], column.type)

    found = rendering.exact_text(parted).to_pylist()

    assert found == [None if value is None else plain(value) for value in values]


def test_whole_numbers_keep_their_zeros() -> None:
    column = pa.array([Decimal(100), Decimal(0)], pa.decimal128(20, 0))

    assert rendering.exact_text(column).to_pylist() == ["100", "0"]


def test_a_block_holds_its_bars_and_no_others() -> None:
    hour = [MIDNIGHT + place * MINUTE for place in (0, 1, 47, 48, 300)]
    table = rendering.in_text(bars_of(1, hour, open=["1", None, "3", "4", "5"]))

    blocks = list(rendering.blocks(table))

    size = 48 * MINUTE
    assert [block.block for block in blocks] == sorted({start // size for start in hour})
    assert sum(block.bars for block in blocks) == 5
    told = [
        json.loads(b"[" + rendering.unpacked(block.content, block.text_bytes) + b"]")
        for block in blocks
    ]
    assert [bar["time"] for block in told for bar in block] == hour
    assert [bar["open"] for block in told for bar in block] == ["1", None, "3", "4", "5"]
    assert list(told[0][0]) == list(rendering.RENDERED)
    assert list(rendering.blocks(table.slice(0, 0))) == []
