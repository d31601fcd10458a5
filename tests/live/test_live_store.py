"""A store that is down or full: patience, a bounded memory, then a clear end, never silence."""

from __future__ import annotations

import errno
import threading
import time
from pathlib import Path

import pytest

from extract.live.batch import Batch, Caught
from extract.live.landing_loop import fills_for
from lake.clock import SystemClock
from lake.errors import StorageError
from lake.objects import FolderStore
from tests.live.collecting import Collector, claimed, live_ids, whole
from tests.live.conftest import MakeSettings
from tests.live.running_exchange import RECORDED, live
from tests.live.small_exchange import Line, SmallExchange


class FullDisk(FolderStore):
    """A folder on a disk without space, for as long as `full` is set."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.full = threading.Event()
        self.refusals = 0

    def create(self, key: str, content: bytes) -> bool:
        if self.full.is_set():
            self.refusals += 1
            fault = OSError(errno.ENOSPC, "No space left on device")
            raise StorageError(f"could not write {key}: {fault.strerror}") from fault
        return super().create(key, content)


@pytest.fixture
def disk(tmp_path: Path) -> FullDisk:
    return FullDisk(tmp_path / "lake")


@pytest.mark.parametrize(
    ("second", "fills"),
    [(0, 0.7), (0.7, 10), (30, 10), (51, 9.7), (59, 1.7), (60.5, 0.2)],
)
def test_a_batch_lands_right_behind_a_minutes_end(second: float, fills: float) -> None:
    minute = 1_742_943_600_000

    assert fills_for(minute + int(second * 1000), 10) == pytest.approx(fills)


def test_a_store_that_comes_back_gets_everything(disk: FullDisk, settings_of: MakeSettings) -> None:
    disk.full.set()
    with live(RECORDED) as exchange:

        def mend() -> None:
            if disk.refusals >= 2:
                disk.full.clear()

        collector = Collector(settings_of(exchange), disk)
        totals = collector.collect(lambda now: now.files >= 2 and now.trades >= 100, beside=mend)

    ids = live_ids(disk)
    assert disk.refusals >= 2
    assert (set(ids.values()), sum(ids.values())) == ({1}, totals.trades)
    assert set(ids) == whole(set(ids)) == claimed(disk)


def test_a_store_that_stays_full_ends_the_collector_with_a_word(
    disk: FullDisk, settings_of: MakeSettings
) -> None:
    disk.full.set()
    with live(RECORDED) as exchange:
        collector = Collector(settings_of(exchange), disk)
        began = time.monotonic()
        with pytest.raises(StorageError) as raised:
            collector.collect(lambda _: False, sink=collector.sink(patience_seconds=1))

    assert time.monotonic() - began < 8
    assert "No space left on device" in str(raised.value)
    assert "messages or more in memory have not landed" in str(raised.value)
    assert "come by id over REST" in str(raised.value)


def test_what_a_full_disk_has_lost_comes_with_the_next_start(
    disk: FullDisk, settings_of: MakeSettings
) -> None:
    with live(RECORDED) as exchange:
        collector = Collector(settings_of(exchange), disk)

        def fill_up() -> None:
            if collector.counters.files:
                disk.full.set()

        with pytest.raises(StorageError):
            collector.collect(
                lambda _: False, sink=collector.sink(patience_seconds=0.5), beside=fill_up
            )
        disk.full.clear()
        second = Collector(settings_of(exchange), disk, run_id="run-2")
        totals = second.collect(lambda now: now.holes_closed >= 1 and now.trades > 50)

    ids = claimed(disk)
    assert totals.holes_lost == 0
    assert ids == whole(ids)


# CCXT empties aiohttp's own buffer before it waits: 128 KiB of frames and, on a busy machine, what
# one reading of asyncio's brought beyond that, 256 KiB; a frame of 150 bytes weighs 400
@pytest.mark.parametrize(("vendor", "beyond"), [("native", 400), ("ccxt", 1_100_000)])
def test_memory_is_bounded_and_then_no_socket_is_read(
    disk: FullDisk, vendor: str, beyond: int
) -> None:
    sent: list[int] = []

    async def script(line: Line) -> None:
        await line.hear()
        for first in range(1, 300_000, 500):
            await line.trades(first, first + 499)
            sent.append(first + 499)

    disk.full.set()
    bound = 500_000
    with SmallExchange(script) as exchange:
        settings = exchange.settings(f"live.buffer_bytes={bound}", "live.bytes=100000")
        collector = Collector(settings, disk, vendor=vendor)
        with pytest.raises(StorageError):
            collector.collect(lambda _: False, sink=collector.sink(patience_seconds=2))

    (counter,) = [one for one in collector.counters.snapshot() if one.messages]
    # a frame weighs its bytes and what Python needs beside it
    weight = counter.bytes + 250 * counter.messages
    assert bound <= weight < bound + beyond
    assert max(sent) < 299_000  # the exchange was held up, too


def test_a_stop_does_not_wait_for_a_store_that_is_down(
    disk: FullDisk, settings_of: MakeSettings
) -> None:
    disk.full.set()
    stopped: list[float] = []

    def until(trades: int) -> bool:
        if trades >= 30 and not stopped:
            stopped.append(time.monotonic())
        return bool(stopped)

    with live(RECORDED) as exchange:
        collector = Collector(settings_of(exchange), disk)
        with pytest.raises(StorageError, match="in memory have not landed"):
            collector.collect(
                lambda now: until(now.trades), sink=collector.sink(patience_seconds=60)
            )
        took = time.monotonic() - stopped[0]

    assert took < 5


def test_half_of_a_batch_is_not_written_twice(disk: FullDisk) -> None:
    class LosesCoverage(FullDisk):
        def create(self, key: str, content: bytes) -> bool:
            fails = key.endswith(".coverage.json") and not self.refusals
            self.full.set() if fails else self.full.clear()
            return super().create(key, content)

    store = LosesCoverage(disk.root)
    collector = Collector(settings=None, store=store, clock=SystemClock())  # type: ignore[arg-type]
    batch = batch_of(3)
    packs = collector.sink().land(batch)

    assert store.refusals == 1
    assert len([key for key in store.names("bronze/") if key.endswith(".gz")]) == len(packs) == 1
    assert claimed(store) == {1, 2, 3}


def batch_of(count: int) -> Batch:
    from tests.live.test_live_runs import trades  # noqa: PLC0415 - beside its only use

    found: Caught = trades(*range(1, count + 1))
    return Batch({found.stream: found}, count, 2 * count)
