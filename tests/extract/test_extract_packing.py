"""Many quiet instruments in few files: bounded, found again by name, nothing claimed too early."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from extract.coverage import DAY_MS
from extract.held import Held
from extract.landed_rows import Series, landed_rows
from extract.landing import Landed, Landing, Piece, held
from extract.packing import FILES_PER_PACK, SMALL_BYTES, WAITS_MS, Packer
from lake.bronze import SUFFIX, Coverage, read_lines
from lake.errors import BronzeError
from lake.objects import FolderStore
from lake.packs import COVERAGE_SUFFIX, coverage_key
from tests.extract.conftest import SleepingClock

JAN_1, FEB_1 = 1704067200000, 1706745600000


@pytest.fixture
def packer(store: FolderStore, clock: SleepingClock) -> Packer:
    return Packer(store, clock)


def landing_of(
    store: FolderStore, clock: SleepingClock, packer: Packer | None, instrument: str, **more: Any
) -> Landing:
    return Landing(
        store=store,
        clock=clock,
        run_id="run-1",
        region="here",
        exchange="binance",
        kind="usdm",
        dataset="agg_trades",
        instrument=instrument,
        mode="history",
        packer=packer,
        **more,
    )


def piece(first: int, last: int, time_ms: int) -> Piece:
    rows = [
        f'{{"a":{n},"p":"1.10","q":"2","f":{n},"l":{n},"T":{time_ms},"m":true}}'
        for n in range(first, last + 1)
    ]
    received = datetime(2025, 9, 3, 11, 59, tzinfo=UTC)
    return Piece({"url": "http://x"}, 200, received, f"[{','.join(rows)}]".encode())


def land(landing: Landing, first: int, last: int, *, month: int = JAN_1) -> Landed:
    covered = Coverage(first, last, month, month + DAY_MS)
    return landing.land([piece(first, last, month + 5)], covered, rows=last - first + 1)


def files(store: FolderStore, suffix: str = SUFFIX) -> list[str]:
    return [key for key in store.names("bronze/") if key.endswith(suffix)]


def test_twenty_thousand_quiet_instruments_of_three_months_end_in_sixty_three_files_at_most(
    store: FolderStore, clock: SleepingClock, packer: Packer
) -> None:
    names = [f"COIN{n}USDT" for n in range(20_000)]
    months = (JAN_1, FEB_1, FEB_1 + 29 * DAY_MS)
    landed = Landed()
    for name in names:
        for month in months:
            landed += land(landing_of(store, clock, packer, name), 7, 9, month=month)
    landed += Landed(files_created=packer.flush())

    assert len(files(store)) == landed.files_created <= len(months) + 60_000 // FILES_PER_PACK
    assert landed.rows == 180_000
    assert len(files(store, COVERAGE_SUFFIX)) == len(files(store))
    index = Held(store, "agg_trades", "binance", "usdm")
    for name in names:
        assert [(run.first_id, run.last_id) for run in index.runs(name, "history")] == [(7, 9)]


def test_what_is_packed_is_missed_no_more_and_the_rest_still_is(
    store: FolderStore, clock: SleepingClock, packer: Packer
) -> None:
    land(landing_of(store, clock, packer, "A"), 1, 5)
    land(landing_of(store, clock, packer, "B"), 4, 6, month=JAN_1 + DAY_MS)
    packer.flush()

    a, b = (landing_of(store, clock, None, name) for name in "AB")

    assert list(a.gaps(JAN_1, JAN_1 + DAY_MS)) == []
    assert [(gap.from_ms, gap.after_id) for gap in a.gaps(JAN_1, JAN_1 + 2 * DAY_MS)] == [
        (JAN_1 + DAY_MS, 5)
    ]
    assert [(gap.until_ms, gap.before_id) for gap in b.gaps(JAN_1, JAN_1 + 2 * DAY_MS)] == [
        (JAN_1 + DAY_MS, 4)
    ]
    assert held(store, "agg_trades", "binance", "usdm", "C") == []


def test_a_pack_says_what_it_holds_in_its_coverage_object(
    store: FolderStore, clock: SleepingClock, packer: Packer
) -> None:
    land(landing_of(store, clock, packer, "B"), 4, 6)
    land(landing_of(store, clock, packer, "A/x"), 1, 5)
    assert files(store) == []
    packer.flush()

    (key,) = files(store)
    content = store.read(key) or b""
    document = json.loads(store.read(coverage_key(key)) or b"")

    assert document == {
        "sha256": hashlib.sha256(content).hexdigest(),
        "holds": [
            {"instrument": name, "first_id": first, "last_id": last, **rest}
            for name, first, last, rest in [
                ("A/x", 1, 5, {**IN_JANUARY, "rows": 5}),
                ("B", 4, 6, {**IN_JANUARY, "rows": 3}),
            ]
        ],
    }
    lines = list(read_lines(content))
    assert [(line["sequence"], line["instrument"]) for line in lines] == [(1, "A/x"), (2, "B")]
    assert lines[0]["packed_as"] == (
        "bronze/agg_trades/binance/usdm/2024-01/"
        "A%2Fx~history~i1_5~t1704067200000_1704153600000.ndjson.gz"
    )


IN_JANUARY: dict[str, Any] = {"from_ms": JAN_1, "until_ms": JAN_1 + DAY_MS, "tag": ""}


def test_a_pack_whose_coverage_object_never_came_counts_as_not_held(
    store: FolderStore, clock: SleepingClock, packer: Packer
) -> None:
    land(landing_of(store, clock, packer, "A"), 1, 5)
    packer.flush()
    (key,) = files(store)
    store.delete(coverage_key(key))

    assert held(store, "agg_trades", "binance", "usdm", "A") == []


def test_an_answer_that_is_large_stands_alone(
    store: FolderStore, clock: SleepingClock, packer: Packer
) -> None:
    land(landing_of(store, clock, packer, "A"), 1, SMALL_BYTES // 50)

    (key,) = files(store)

    assert "/A~history~i1_" in key
    assert packer.flush() == 0


def test_what_waits_long_is_written_when_the_next_comes_and_told_only_then(
    store: FolderStore, clock: SleepingClock, packer: Packer
) -> None:
    told: list[int] = []
    land(landing_of(store, clock, packer, "A", on_landed=told.append), 1, 5)
    clock.sleep(WAITS_MS / 1000 - 1)
    land(landing_of(store, clock, packer, "B", on_landed=told.append), 1, 2)
    assert told == []
    clock.sleep(1)
    land(landing_of(store, clock, packer, "C", on_landed=told.append, shown_as="C"), 1, 1)

    assert told == [5, 2, 1]
    assert len(files(store)) == 1
    assert packer.flush() == 0


def test_packed_rows_are_read_back_of_their_own_instrument_alone(
    store: FolderStore, clock: SleepingClock, packer: Packer
) -> None:
    land(landing_of(store, clock, packer, "A"), 1, 3)
    land(landing_of(store, clock, packer, "B"), 2, 9)
    packer.flush()

    series = Series("agg_trades", "binance", "usdm", "A")

    assert [row["a"] for row in landed_rows(store, series, JAN_1, FEB_1)] == ["1", "2", "3"]


def test_a_coverage_object_that_cannot_be_read_is_named(
    store: FolderStore, clock: SleepingClock, packer: Packer
) -> None:
    land(landing_of(store, clock, packer, "A"), 1, 5)
    packer.flush()
    (key,) = files(store)
    store.delete(coverage_key(key))
    store.create(coverage_key(key), b'{"holds":[{"instrument":"A"}]}')

    with pytest.raises(BronzeError, match="coverage object can't be read"):
        held(store, "agg_trades", "binance", "usdm", "A")
