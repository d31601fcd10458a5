"""What goes in by the binary way is what goes in as text: each number to its last place."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from serve.database import binary_rows
from serve.database.address import Address
from serve.database.rendering import TYPES, in_text
from serve.database.schema import PRICES, SUMS
from serve.publishing.bars import prepared
from serve.publishing.publisher import publishing
from tests.serve_database.databases import MIDNIGHT, MINUTE, bars_of, new_database

EDGES = ("0", "1", "9999", "10000", "99999999", "100000000", "0.0001", "0.00009999", "0.1", "10.01")
LISTED = ", ".join(f"CAST({name} AS text)" for name in TYPES)


def numbers(count: int, digits: tuple[int, int], rng: random.Random) -> list[Decimal]:
    """Return decimals of all sizes with at most so many digits before and after the point."""
    found = [Decimal(text) for text in EDGES]
    whole, fraction = digits
    found += [Decimal(1).scaleb(-fraction), Decimal(f"{'9' * whole}.{'9' * fraction}")]
    while len(found) < count:
        scale = rng.randint(0, fraction)
        size = 10 ** (rng.randint(0, whole) + scale)
        found.append(Decimal(rng.randrange(size)).scaleb(-scale))
    rng.shuffle(found)
    return found[:count]


def bars_with_decimals(count: int) -> pa.Table:
    rng = random.Random(20240101)  # noqa: S311
    price, amount = pa.decimal128(20, 10), pa.decimal128(38, 18)
    of = {name: pa.array(numbers(count, (10, 10), rng), price) for name in PRICES}
    of |= {name: pa.array(numbers(count, (14, 18), rng), amount) for name in SUMS}
    starts = [MIDNIGHT + place * MINUTE for place in range(count)]
    bars = bars_of(1, starts, built_from=[("trades", "agg_trades")[n % 3 == 0] for n in starts])
    for name, column in of.items():
        bars = bars.set_column(bars.schema.get_field_index(name), name, column)
    return bars


def with_odd_rows(bars: pa.Table) -> pa.Table:
    """Take the prices of some bars, put one below zero, and make one very large."""
    place = bars.schema.get_field_index("close")
    close = bars.column("close").to_pylist()
    close[3], close[4] = None, Decimal("-12.5")
    bars = bars.set_column(place, "close", pa.array(close, pa.decimal128(20, 10)))
    place = bars.schema.get_field_index("volume")
    volume = bars.column("volume").to_pylist()
    volume[5] = Decimal(10) ** 19 + Decimal("0.5")
    return bars.set_column(place, "volume", pa.array(volume, pa.decimal128(38, 18)))


def stored(address: Address, bars: pa.Table, *, as_text: bool) -> list[tuple[str | None, ...]]:
    async def go() -> list[tuple[str | None, ...]]:
        async with publishing(address) as publisher:
            if as_text:
                await publisher.load("bars", in_text(bars))
            else:
                content = prepared(bars, is_copied=True).content
                assert content is not None
                await publisher.copy("bars", binary_rows.COLUMNS, content.pieces, "binary")
                await publisher.load("bars", content.others)
            found = await publisher.rows(f"SELECT {LISTED} FROM bars ORDER BY bar_start")  # noqa: S608
            return [tuple(row) for row in found]

    return asyncio.run(go())


@pytest.mark.parametrize("is_odd", [False, True])
def test_numbers_are_stored_as_their_text_would_be(postgres: Address, is_odd: bool) -> None:  # noqa: FBT001
    bars = bars_with_decimals(5_000)
    bars = with_odd_rows(bars) if is_odd else bars

    found = stored(new_database(postgres), bars, as_text=False)

    assert len(found) == 5_000
    assert found == stored(new_database(postgres), bars, as_text=True)


def test_only_rows_that_fit_are_written() -> None:
    bars = with_odd_rows(bars_with_decimals(20))

    assert pc.indices_nonzero(pc.invert(binary_rows.plain(bars))).to_pylist() == [3, 4, 5]
    assert binary_rows.plain(in_text(bars)).true_count == 0
