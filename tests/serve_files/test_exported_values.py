"""Decimals leave the lake with every digit, or as the nearest double where the reader wants one."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.errors import ServeError
from serve.files.exact import as_fixed, as_floats, as_text, decimals_needed

AMOUNTS = st.decimals(
    allow_nan=False, allow_infinity=False, places=18, min_value=-(10**15), max_value=10**15
)


def amounts(*values: Decimal | None, scale: int = 18) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, pa.decimal128(38, scale))])


@given(st.lists(AMOUNTS | st.none(), max_size=20))
def test_text_is_the_same_number_in_plain_notation(values: list[Decimal | None]) -> None:
    texts = as_text(amounts(*values)).to_pylist()

    assert [None if text is None else Decimal(text) for text in texts] == values
    assert not any("E" in text or text.endswith(".") for text in texts if text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "0"),
        ("100", "100"),
        ("0.000000000000000001", "0.000000000000000001"),
        ("-1.50", "-1.5"),
    ],
)
def test_text_has_no_zeros_at_its_end_and_no_exponent(value: str, text: str) -> None:
    assert as_text(amounts(Decimal(value))).to_pylist() == [text]


@given(st.lists(AMOUNTS, min_size=1, max_size=20))
def test_a_float_is_the_nearest_one(values: list[Decimal]) -> None:
    assert as_floats(amounts(*values)).to_pylist() == [float(value) for value in values]


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=10, min_value=-(10**9), max_value=10**9
    )
)
def test_fixed_point_is_the_integer_of_sixteen_decimals(value: Decimal) -> None:
    (raw,) = as_fixed(amounts(value, scale=10), "close").to_pylist()

    assert int.from_bytes(raw, "little", signed=True) == value.scaleb(16)


def test_fixed_point_of_a_part_of_a_column_is_its_own() -> None:
    whole = amounts(*(Decimal(number) for number in range(5)))

    numbers = [int.from_bytes(one, "little") for one in as_fixed(whole.slice(3), "x").to_pylist()]

    assert numbers == [3 * 10**16, 4 * 10**16]


def test_a_digit_that_fixed_point_has_not_is_an_error() -> None:
    with pytest.raises(ServeError, match="binance spot BTCUSDT volume does not fit"):
        as_fixed(amounts(Decimal("0.00000000000000001")), "binance spot BTCUSDT volume")


def test_the_decimals_that_a_column_needs() -> None:
    assert decimals_needed(amounts(Decimal("1.5"), None, Decimal("2.025"))) == 3
    assert decimals_needed(amounts(Decimal(7))) == 0
    assert decimals_needed(amounts()) == 0
