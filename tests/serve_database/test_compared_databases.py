"""The same publication in a file and in PostgreSQL is the same, row by row; a change is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jobs.comparison.databases import compared
from serve.database.address import Address
from serve.publishing.publisher import publishing
from tests.serve_api.filled import fill
from tests.serve_api.market import filled_repository
from tests.serve_database.databases import new_database


@pytest.fixture
def places(postgres: Address, tmp_path: Path) -> tuple[Address, Address]:
    """The known market, published to PostgreSQL and to a file."""
    both = (new_database(postgres), Address(str(tmp_path / "serve.sqlite"), 10))
    for place in both:
        fill(place, filled_repository())
    return both


def test_what_was_published_to_both_is_identical(places: tuple[Address, Address]) -> None:
    verdicts = {one.table: one for one in compared(*places)}

    assert [str(one) for one in verdicts.values() if one.difference] == []
    assert {one for one, verdict in verdicts.items() if verdict.rows[0]} >= {
        *("serve.bars", "serve.bar_blocks", "serve.bar_days", "serve.runs", "serve.series"),
        *("serve.index_prices", "serve.trades", "serve.listings", "serve.stretches"),
        *("serve.certificates",),
    }


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("UPDATE bars SET close = close + 1", "serve.bars"),
        ("UPDATE trades SET quantity = quantity * 2", "serve.trades"),
        ("UPDATE runs SET state = 'unknown'", "serve.runs"),
        ("DELETE FROM listings", "serve.listings"),
    ],
)
def test_a_change_in_one_is_told(
    places: tuple[Address, Address], statement: str, table: str
) -> None:
    async def change() -> None:
        async with publishing(places[0]) as publisher:
            await publisher.run(statement)
            publisher.is_changed = True

    asyncio.run(change())

    different = [one.table for one in compared(*places) if one.difference]

    assert different == [table]
