"""Files in bronze: names that carry the coverage, bodies untouched, a second arrival discarded."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from extract.landing import Landed, Landing, Piece, held
from lake.bronze import Coverage, parse_name, read_lines
from lake.objects import FolderStore
from tests.extract.conftest import SleepingClock

JAN_5, JAN_6 = 1704412800000, 1704499200000
FEB_5, FEB_6 = 1707091200000, 1707177600000


def landing_of(store: FolderStore, clock: SleepingClock, instrument: str = "BTCUSDT") -> Landing:
    return Landing(
        store=store,
        clock=clock,
        run_id="run-1",
        region="here",
        exchange="binance",
        kind="spot",
        dataset="trades",
        instrument=instrument,
        mode="history",
    )


def piece(body: bytes) -> Piece:
    received = datetime(2025, 9, 3, 11, 59, tzinfo=UTC)
    return Piece({"url": "http://x"}, 200, received, body)


@pytest.mark.parametrize("body", [b'{"p":"1.0" }\r\n', "…ü\u2028".encode(), b"\xff\x00cut", b""])
def test_a_body_comes_back_byte_for_byte(
    store: FolderStore, clock: SleepingClock, body: bytes
) -> None:
    landing = landing_of(store, clock)
    landing.land([piece(body), piece(b"2")], Coverage(1, 9, JAN_5, JAN_6), rows=9)

    content = store.read(landing.name(Coverage(1, 9, JAN_5, JAN_6)).key)

    assert content is not None
    lines = list(read_lines(content))
    assert [line["body"] for line in lines] == [body, b"2"]
    assert [line["sequence"] for line in lines] == [1, 2]
    assert lines[0]["end_download_timestamp"] == "2025-09-03T11:59:00.000000Z"
    assert lines[0]["knowledge_timestamp"] == "2025-09-03T12:00:00.000000Z"


def test_a_second_arrival_of_the_same_coverage_is_discarded(
    store: FolderStore, clock: SleepingClock
) -> None:
    landing, coverage = landing_of(store, clock), Coverage(1, 9, JAN_5, JAN_6)

    assert landing.land([piece(b"1")], coverage, rows=9) == Landed(files_created=1, rows=9)
    assert landing.land([piece(b"2")], coverage, rows=9) == Landed(files_held=1)

    content = store.read(landing.name(coverage).key)
    assert content is not None
    assert [line["body"] for line in read_lines(content)] == [b"1"]


@pytest.mark.parametrize(
    "name", ["A/B", "../../up", "..", "a~b", "币安人生USDT", "BTC-FS-9AUG24_PERP"]
)
def test_no_instrument_name_leaves_its_folder_or_is_changed(
    store: FolderStore, clock: SleepingClock, name: str
) -> None:
    landing, coverage = landing_of(store, clock, name), Coverage(1, 9, JAN_5, JAN_6)
    landing.land([piece(b"1")], coverage, rows=9)

    (key,) = store.names("bronze/")

    assert key.startswith("bronze/trades/binance/spot/2024-01/")
    assert key.count("/") == 5
    assert parse_name(key).instrument == name
    assert held(store, "trades", "binance", "spot", name) == [coverage]
    assert landing.runs(JAN_5, JAN_6) == [coverage]


def test_what_is_held_is_told_from_names_of_the_windows_own_months(
    store: FolderStore, clock: SleepingClock
) -> None:
    january, february = Coverage(1, 9, JAN_5, JAN_6), Coverage(10, 19, FEB_5, FEB_6)
    for coverage in (january, february):
        landing_of(store, clock).land([piece(b"1")], coverage, rows=9)
    landing_of(store, clock, "BTCUSDT2").land([piece(b"1")], january, rows=9)

    def around(start: int, end: int) -> list[Coverage]:
        return held(store, "trades", "binance", "spot", "BTCUSDT", window=(start, end))

    assert around(JAN_5, JAN_6) == [january]
    assert around(JAN_6, FEB_6) == [january, february]
    assert held(store, "trades", "binance", "spot", "BTCUSDT") == [january, february]
    assert held(store, "trades", "binance", "usdm", "BTCUSDT") == []


def test_a_foreign_file_in_bronze_is_passed_over(store: FolderStore, clock: SleepingClock) -> None:
    store.create("bronze/trades/binance/spot/2024-01/BTCUSDT~notes.txt", b"hello")

    assert landing_of(store, clock).runs(JAN_5, JAN_6) == []
