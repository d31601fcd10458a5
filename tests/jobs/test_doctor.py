"""A bronze file that can't be read is moved aside; the next extraction loads its ids again."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from jobs import doctor
from jobs.context import Lake, open_lake
from lake.bronze import BronzeName, Coverage, to_file
from tests.jobs.landed import MIDNIGHT, envelope

OF: dict[str, Any] = {
    "dataset": "agg_trades",
    "exchange": "binance",
    "kind": "spot",
    "instrument": "BTCUSDT",
    "mode": "history",
}


def key_of(first: int, last: int) -> str:
    coverage = Coverage(first, last, MIDNIGHT, MIDNIGHT + 60_000)
    return BronzeName(**OF, coverage=coverage).key


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = open_lake("replay", [f"lake.root={tmp_path}"])
    lake.store.create(key_of(1, 2), to_file([envelope(**OF, body="[]")]))
    return lake


def test_sound_bronze_stays_as_it_is(lake: Lake) -> None:
    before = list(lake.store.names("bronze/"))

    assert list(doctor.examine(lake)) == ["bronze: 1 files read, 0 corrupt"]
    assert list(lake.store.names("bronze/")) == before


@pytest.mark.parametrize(
    "content",
    [
        to_file([envelope(**OF, body="[]")])[:40],
        b"no gzip at all",
        gzip.compress(b"no json\n"),
        b"",
    ],
    ids=["cut", "not_gzip", "not_json", "empty"],
)
def test_a_file_that_cannot_be_read_is_moved_aside(lake: Lake, content: bytes) -> None:
    lake.store.create(key_of(3, 4), content)

    *moved, told = doctor.examine(lake)

    assert told == "bronze: 2 files read, 1 corrupt"
    assert len(moved) == 1
    assert moved[0].startswith(f"moved to bronze/_corrupt/: {key_of(3, 4)} (")
    assert list(lake.store.names("bronze/agg_trades/")) == [key_of(1, 2)]
    aside = "bronze/_corrupt/" + key_of(3, 4).removeprefix("bronze/")
    assert lake.store.read(aside) == content
    assert list(doctor.examine(lake)) == ["bronze: 1 files read, 0 corrupt"]
