"""Leases: one writer a table, whatever stops, dies or sleeps."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from lake.clock import SystemClock
from lake.errors import LeaseError, StorageError
from lake.lease import Lease, held
from lake.objects import FolderStore
from tests.set_clock import SetClock

ROOT = Path(__file__).parents[2]
LIFE = 60


class FailingStore(FolderStore):
    """A folder whose writes fail, or are done without an answer, while `fault` says so."""

    fault = ""

    def create(self, key: str, content: bytes) -> bool:
        created = super().create(key, content)
        # what a client's own retry sees when the first answer was lost
        return created and self.fault != "answer lost"

    def replace(self, key: str, content: bytes, *, version: str) -> bool:
        if self.fault == "unreachable":
            raise StorageError("the store is away")
        replaced = super().replace(key, content, version=version)
        if self.fault == "answer lost":
            raise StorageError("the answer was lost")
        return replaced


def elsewhere(store: FolderStore, lease: Lease) -> None:
    """Make the lease look as if a process of another machine held it."""
    content, version = store.read_versioned(lease.key) or (b"", "")
    record = {**json.loads(content), "machine": "another"}
    assert store.replace(lease.key, json.dumps(record).encode(), version=version)


def until(condition: Callable[[], bool], seconds: int = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_a_lease_is_refused_while_another_job_holds_it(store: FolderStore, clock: SetClock) -> None:
    first = Lease(store, clock, "silver.trades", LIFE)
    second = Lease(store, clock, "silver.trades", LIFE)
    first.acquire()

    with pytest.raises(LeaseError, match=r"silver\.trades is being written by run .*until 2024"):
        second.acquire()
    with pytest.raises(LeaseError):
        second.require()
    first.require()
    Lease(store, clock, "silver.klines", LIFE).acquire()


def test_a_lease_is_free_again_once_it_is_given_back(store: FolderStore, clock: SetClock) -> None:
    first, second = (Lease(store, clock, "t", LIFE) for _ in range(2))
    first.acquire()
    first.release()

    second.acquire()

    second.require()
    with pytest.raises(LeaseError, match="lost"):
        first.require()


def test_another_machines_lease_is_taken_over_only_after_its_whole_life(
    store: FolderStore, clock: SetClock
) -> None:
    first, second = (Lease(store, clock, "t", LIFE) for _ in range(2))
    first.acquire()
    elsewhere(store, first)

    clock.sleep(LIFE - 1)
    with pytest.raises(LeaseError):
        second.acquire()
    clock.sleep(1)
    second.acquire()

    second.require()


def test_a_renewed_lease_lives_on(store: FolderStore, clock: SetClock) -> None:
    first, second = (Lease(store, clock, "t", LIFE) for _ in range(2))
    first.acquire()
    for _ in range(5):
        clock.sleep(LIFE // 2)
        first.require()
        first.renew()

    clock.sleep(LIFE - 1)
    with pytest.raises(LeaseError):
        second.acquire()


def test_a_writer_stops_itself_at_half_the_life(store: FolderStore, clock: SetClock) -> None:
    lease = Lease(store, clock, "t", LIFE)
    with pytest.raises(LeaseError):
        lease.require()
    lease.acquire()

    clock.sleep(LIFE / 2)
    lease.require()
    clock.sleep(0.001)
    with pytest.raises(LeaseError, match="lost or not renewed in time"):
        lease.require()


def test_a_writer_that_slept_through_its_life_finds_its_lease_lost(
    store: FolderStore, clock: SetClock
) -> None:
    paused, heir = (Lease(store, clock, "t", LIFE) for _ in range(2))
    paused.acquire()
    elsewhere(store, paused)
    clock.sleep(LIFE)
    heir.acquire()

    with pytest.raises(LeaseError):
        paused.require()
    with pytest.raises(LeaseError):
        paused.renew()
    clock.moment -= timedelta(seconds=LIFE)
    with pytest.raises(LeaseError):
        paused.require()


def test_only_the_own_lease_is_given_back(store: FolderStore, clock: SetClock) -> None:
    paused, heir, third = (Lease(store, clock, "t", LIFE) for _ in range(3))
    paused.acquire()
    elsewhere(store, paused)
    clock.sleep(LIFE)
    heir.acquire()

    paused.release()

    heir.renew()
    with pytest.raises(LeaseError):
        third.acquire()


def test_a_lease_that_was_removed_by_hand_is_lost(store: FolderStore, clock: SetClock) -> None:
    lease = Lease(store, clock, "t", LIFE)
    lease.acquire()
    store.delete(lease.key)

    with pytest.raises(LeaseError):
        lease.renew()
    with pytest.raises(LeaseError):
        lease.require()


def test_a_renewal_whose_answer_was_lost_does_not_lose_the_lease(
    tmp_path: Path, clock: SetClock
) -> None:
    store = FailingStore(tmp_path)
    lease = Lease(store, clock, "t", LIFE)
    lease.acquire()
    clock.sleep(10)
    store.fault = "answer lost"
    with pytest.raises(StorageError):
        lease.renew()
    store.fault = ""

    lease.renew()

    lease.require()


def test_a_lease_whose_first_answer_was_lost_is_still_taken(
    tmp_path: Path, clock: SetClock
) -> None:
    store = FailingStore(tmp_path)
    store.fault = "answer lost"
    lease = Lease(store, clock, "t", LIFE)
    with pytest.raises(StorageError, match="answer was lost"):
        lease.acquire()
    store.fault = ""

    lease.acquire()

    lease.require()


def test_a_held_lease_is_renewed_in_the_background(store: FolderStore) -> None:
    with held(store, SystemClock(), ("t",), 2) as (lease,):
        start = lease.renewed_at
        until(lambda: lease.renewed_at != start)
        time.sleep(2)
        lease.require()
        with pytest.raises(LeaseError):
            Lease(store, SystemClock(), "t", 2).acquire()
    Lease(store, SystemClock(), "t", 2).acquire()


def test_a_store_that_is_away_for_a_moment_costs_no_lease(tmp_path: Path) -> None:
    store = FailingStore(tmp_path)
    with held(store, SystemClock(), ("a", "b"), 3) as leases:
        store.fault = "unreachable"
        time.sleep(0.8)
        store.fault = ""
        start = [lease.renewed_at for lease in leases]
        until(lambda: all(lease.renewed_at not in start for lease in leases))
        for lease in leases:
            lease.require()


def test_a_held_lease_that_is_lost_stops_its_writer_and_spares_the_others(
    store: FolderStore,
) -> None:
    with held(store, SystemClock(), ("a", "b"), 2) as (lost, kept):
        store.delete(lost.key)
        until(lambda: lost.renewed_at is None)
        with pytest.raises(LeaseError):
            lost.require()
        start = kept.renewed_at
        until(lambda: kept.renewed_at != start)
        kept.require()


def test_leases_are_given_back_when_the_work_fails_or_one_is_refused(store: FolderStore) -> None:
    clock = SystemClock()
    with pytest.raises(ValueError, match="work"), held(store, clock, ("a", "b"), LIFE):
        raise ValueError("work")
    with held(store, clock, ("b",), LIFE):
        with pytest.raises(LeaseError), held(store, clock, ("a", "b"), LIFE):
            pass
        with held(store, clock, ("a",), LIFE):
            pass


def test_giving_back_to_a_store_that_is_away_does_not_hide_the_works_own_error(
    tmp_path: Path,
) -> None:
    store = FailingStore(tmp_path)

    def fail() -> None:
        store.fault = "unreachable"
        raise ValueError("work")

    with pytest.raises(ValueError, match="work"), held(store, SystemClock(), ("a", "b"), LIFE):
        fail()


HOLDER = """
import sys, time
from pathlib import Path
from lake.clock import SystemClock
from lake.lease import held
from lake.objects import FolderStore
from tests.set_clock import SetClock
with held(FolderStore(Path(sys.argv[1])), SystemClock(), ("t",), int(sys.argv[2])) as (lease,):
    print("held", flush=True)
    for line in sys.stdin:
        try:
            lease.require()
            print("writing", flush=True)
        except Exception as error:
            print("stopped:", error, flush=True)
"""


class Holder:
    """Another process that holds the lease."""

    def __init__(self, root: Path, life: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(root), str(life)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.said = self._line()

    def ask(self) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self._line()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Callable[[int], Holder]]:
    started: list[Holder] = []

    def start(life: int) -> Holder:
        started.append(Holder(tmp_path, life))
        assert started[-1].said == "held"
        return started[-1]

    yield start
    for one in started:
        one.close()


def test_two_processes_do_not_hold_one_lease(
    store: FolderStore, holder: Callable[[int], Holder]
) -> None:
    other = holder(600)

    with pytest.raises(LeaseError, match="is being written"):
        Lease(store, SystemClock(), "t", 600).acquire()
    assert other.ask() == "writing"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a process started")
def test_the_lease_of_a_killed_process_of_this_machine_is_taken_over_at_once(
    store: FolderStore, holder: Callable[[int], Holder]
) -> None:
    killed = holder(600)
    killed.kill()
    lease = Lease(store, SystemClock(), "t", 600)

    # not waited for on purpose: a zombie writes nothing either
    until(lambda: Path(f"/proc/{killed.process.pid}/stat").read_text().split(")")[1][1] == "Z")
    lease.acquire()

    lease.require()


def test_a_process_of_another_machine_is_never_taken_for_dead(
    store: FolderStore, holder: Callable[[int], Holder]
) -> None:
    killed = holder(600)
    killed.kill()
    killed.process.wait()
    elsewhere(store, Lease(store, SystemClock(), "t", 600))

    with pytest.raises(LeaseError):
        Lease(store, SystemClock(), "t", 600).acquire()


def test_a_paused_process_stops_writing_once_it_wakes(
    store: FolderStore, holder: Callable[[int], Holder]
) -> None:
    paused = holder(2)
    os.kill(paused.process.pid, signal.SIGSTOP)
    heir = Lease(store, SystemClock(), "t", 2)

    def taken() -> bool:
        try:
            heir.acquire()
        except LeaseError:
            return False
        return True

    until(taken)
    os.kill(paused.process.pid, signal.SIGCONT)

    assert paused.ask().startswith("stopped: the lease of t was lost or not renewed in time")
    heir.renew()
    heir.require()
