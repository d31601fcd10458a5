"""Leases that give way: a writer waits instead of failing, and what is lent comes back."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable

import pytest

from lake.clock import SystemClock
from lake.errors import GivesWayError, LeaseError
from lake.lease import Lease, held, lent
from lake.objects import FolderStore
from lake.wishes import ASKED, STANDS, WAITED_FOR, is_wished, wish, wished
from tests.lake.test_leases import until
from tests.set_clock import SetClock

LIFE = 60
TABLE = "silver.trades"


def record(store: FolderStore) -> dict[str, object]:
    return dict(json.loads(store.read(f"leases/{TABLE}.json") or b"{}"))


def in_background(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_a_writer_waits_for_maintenance_and_says_so(store: FolderStore) -> None:
    clock, order = SystemClock(), list[str]()

    def write() -> None:
        with held(store, clock, (TABLE,), LIFE) as (lease,):
            lease.require()
            order.append("written")

    with held(store, clock, (TABLE,), LIFE, gives_way=True):
        writer = in_background(write)
        until(lambda: is_wished(store, clock, TABLE, WAITED_FOR))
        order.append("maintained")
    writer.join(30)

    assert order == ["maintained", "written"]
    assert not is_wished(store, clock, TABLE, WAITED_FOR)


def test_nobody_waits_for_a_writer(store: FolderStore, clock: SetClock) -> None:
    began = clock.now()
    with held(store, clock, (TABLE,), LIFE):
        for gives_way in (False, True):
            with (
                pytest.raises(LeaseError, match="is being written by run"),
                held(store, clock, (TABLE,), LIFE, gives_way=gives_way),
            ):
                pytest.fail("two hold one lease")

    assert clock.now() == began


def test_maintenance_does_not_wait_for_maintenance(store: FolderStore, clock: SetClock) -> None:
    with (
        held(store, clock, (TABLE,), LIFE, gives_way=True),
        pytest.raises(GivesWayError, match="is being maintained"),
        held(store, clock, (TABLE,), LIFE, gives_way=True),
    ):
        pytest.fail("two hold one lease")


def test_a_writer_waits_a_quarter_of_an_hour_and_no_longer(
    store: FolderStore, clock: SetClock
) -> None:
    keeper = Lease(store, clock, TABLE, 3600, gives_way=True)
    keeper.acquire()
    began = clock.now()

    with pytest.raises(GivesWayError):
        Lease(store, clock, TABLE, LIFE).acquire_in_turn()

    assert 900 <= (clock.now() - began).total_seconds() < 910


def test_what_is_lent_is_maintenances_alone_and_comes_back(
    store: FolderStore, clock: SetClock
) -> None:
    writer = Lease(store, clock, TABLE, LIFE)
    writer.acquire()
    writer.lend()

    with pytest.raises(LeaseError):
        writer.require()
    with pytest.raises(LeaseError, match="is being written by run"):
        Lease(store, clock, TABLE, LIFE).acquire()
    with held(store, clock, (TABLE,), LIFE, gives_way=True) as (lease,):
        lease.require()
        with pytest.raises(GivesWayError):
            writer.acquire()
    assert (record(store)["holder"], record(store)["is_lent"]) == (writer.holder, True)
    with pytest.raises(LeaseError, match="is being written by run"):
        Lease(store, clock, TABLE, LIFE).acquire()

    writer.acquire_in_turn()
    writer.require()
    assert record(store)["is_lent"] is False


def test_a_lent_lease_that_nobody_took_goes_on(store: FolderStore, clock: SetClock) -> None:
    writer = Lease(store, clock, TABLE, LIFE)
    writer.acquire()
    writer.lend()

    writer.renew()
    writer.acquire_in_turn()
    writer.renew()

    writer.require()


def test_only_what_is_asked_for_is_lent(store: FolderStore, clock: SetClock) -> None:
    asked, other = Lease(store, clock, TABLE, LIFE), Lease(store, clock, "gold.ohlcv", LIFE)
    asked.acquire()
    other.acquire()
    wish(store, clock, TABLE, ASKED)

    with lent((asked, other)):
        other.require()
        with pytest.raises(LeaseError):
            asked.require()

    asked.require()


def test_a_wish_is_over_unless_it_is_said_again(store: FolderStore, clock: SetClock) -> None:
    assert not is_wished(store, clock, TABLE, ASKED)
    wish(store, clock, TABLE, ASKED)
    assert is_wished(store, clock, TABLE, ASKED)
    assert not is_wished(store, clock, TABLE, WAITED_FOR)
    wish(store, clock, "gold.ohlcv", WAITED_FOR)
    assert wished(store, clock, ASKED) == {TABLE}

    clock.sleep(STANDS - 1)
    wish(store, clock, TABLE, ASKED)
    clock.sleep(STANDS - 1)
    assert is_wished(store, clock, TABLE, ASKED)
    clock.sleep(2)
    assert not is_wished(store, clock, TABLE, ASKED)
    assert wished(store, clock, ASKED) == set()


def test_the_background_renewals_outlast_a_loan(store: FolderStore) -> None:
    clock = SystemClock()
    with held(store, clock, (TABLE,), 2) as (lease,):
        lease.lend()
        with held(store, clock, (TABLE,), 2, gives_way=True) as (borrower,):
            time.sleep(1.5)
            borrower.require()
        lease.acquire_in_turn()
        time.sleep(2.5)

        lease.require()
