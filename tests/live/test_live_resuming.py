"""Where a collector goes on, by the names and coverage objects in bronze alone."""

from __future__ import annotations

from extract.coverage import HOUR_MS, Missing
from extract.live.batch import Batch
from extract.live.resuming import Held, held_of
from extract.live.stream import Stream
from lake.bronze import BronzeName, Coverage
from lake.clock import SystemClock
from lake.objects import FolderStore
from tests.live.collecting import Collector
from tests.live.test_live_runs import MARCH_5, caught

BTC = Stream("binance", "spot", "trades", "BTCUSDT", "btcusdt@trade", {})
BARS = Stream("binance", "spot", "klines", "BTCUSDT", "btcusdt@kline_1m", {}, "1m")
NOW_MS = MARCH_5 + 24 * HOUR_MS


def land(store: FolderStore, first: int, last: int, *, at: int = MARCH_5, run: str = "r") -> None:
    """Land a live pack of the ids from first to last, one a ms from `at` on."""
    rows = [[(one, at + one - first)] for one in range(first, last + 1)]
    frames = caught(*rows)
    batch = Batch({frames.stream: frames}, len(rows), 1)
    collector = Collector(settings=None, store=store, clock=SystemClock(), run_id=run)  # type: ignore[arg-type]
    collector.sink().land(batch)


def file_of_history(store: FolderStore, first: int, last: int, at: int = MARCH_5) -> None:
    held = Coverage(first, last, at, at + 1)
    store.create(BronzeName("trades", "binance", "spot", "BTCUSDT", "history", held).key, b"x")


def held(store: FolderStore, hours: int = 2, now_ms: int = NOW_MS) -> Held | None:
    return held_of(store, [BTC, BARS], hours * HOUR_MS, now_ms).get(BTC)


def test_an_empty_lake_has_nothing_to_go_on_from(store: FolderStore) -> None:
    assert held(store) is None


def test_the_newest_id_is_found_and_the_holes_a_little_below_it(store: FolderStore) -> None:
    land(store, 1, 10)
    land(store, 14, 20, at=MARCH_5 + 60_000)
    land(store, 21, 25, at=MARCH_5 + 90_000, run="other")

    assert held(store) == Held(25, [Missing(11, 13)])


def test_what_rest_has_filled_is_no_hole(store: FolderStore) -> None:
    land(store, 1, 10)
    land(store, 14, 20, at=MARCH_5 + 60_000)
    file_of_history(store, 11, 13)

    assert held(store) == Held(20, [])


def test_a_history_that_is_newer_than_the_last_collector_counts(store: FolderStore) -> None:
    land(store, 1, 10)
    file_of_history(store, 11, 40)

    assert held(store) == Held(40, [])


def test_holes_older_than_the_look_back_are_left_to_the_ledger(store: FolderStore) -> None:
    land(store, 1, 10)
    land(store, 14, 20, at=MARCH_5 + 5 * HOUR_MS)

    assert held(store) == Held(20, [])


def test_a_lake_whose_clock_is_years_behind_is_read_all_the_same(store: FolderStore) -> None:
    land(store, 1, 10)

    assert held(store, now_ms=NOW_MS + 10**11) == Held(10, [])


def test_a_pack_without_its_coverage_object_counts_for_nothing(store: FolderStore) -> None:
    land(store, 1, 10)
    land(store, 11, 20, at=MARCH_5 + 60_000)
    newest = max(store.names("bronze/"), key=lambda key: (f"t{MARCH_5 + 60_000}" in key, key))
    for key in list(store.names("bronze/")):
        if key.endswith(".coverage.json") and key.split("~")[3] == newest.split("~")[3]:
            store.delete(key)

    assert held(store) == Held(10, [])


def test_an_instrument_that_others_have_outrun_is_found_further_back(store: FolderStore) -> None:
    land(store, 1, 10)
    for n in range(20):
        rows = caught([(n, MARCH_5 + (n + 3) * HOUR_MS)], instrument="ETHUSDT")
        batch = Batch({rows.stream: rows}, 1, 1)
        Collector(settings=None, store=store).sink().land(batch)  # type: ignore[arg-type]

    assert held(store) == Held(10, [])
