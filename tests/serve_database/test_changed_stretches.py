"""From when on stretches are told anew: from where what they follow from is new or other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from jobs import gold, silver
from jobs.context import Context
from jobs.publishing.changed import Basis, Proof, differing
from serve.database.address import Address, address_of
from serve.database.repository import SqlRepository
from serve.publishing.publisher import publishing
from serve.records import Run
from tests.jobs.conftest import OpenLake
from tests.jobs.landed import MIDNIGHT, aggregate, land
from tests.serve_database import published

BTC = ("binance", "spot", "BTCUSDT")
MINUTE = 60_000
HOUR = 60 * MINUTE


def held(since: int, until: int, entry: str = "held", uid: str = "BTCUSDT") -> Proof:
    return Proof((*BTC[:2], uid), "trades", entry, since, until)


@pytest.mark.parametrize(
    ("was", "now", "since"),
    [
        ([], [held(5, 9)], 5),
        ([held(5, 9)], [held(5, 12)], 9),
        ([held(5, 9)], [held(5, 7)], 7),
        ([held(5, 9)], [held(3, 9)], 3),
        ([held(5, 9), held(9, 11, "hole"), held(11, 14)], [held(5, 14)], 9),
        ([held(6, 7, "hole")], [], 6),
        ([held(6, 7, "hole")], [held(6, 8, "hole")], 6),
    ],
)
def test_a_run_that_only_grew_differs_from_its_old_end_on(
    was: Sequence[Proof], now: Sequence[Proof], since: int
) -> None:
    other = held(1, 2, uid="ETHUSDT")

    assert differing(was, now) == {BTC: since}
    assert differing([*was, other], now) == {BTC: since, (*BTC[:2], "ETHUSDT"): 1}


def test_what_stretches_follow_from_is_read_as_it_was_written() -> None:
    basis = Basis(3, -1, 5, 1_704_067_200_000)

    assert Basis.of(str(basis)) == basis
    assert Basis.of("12 5 7 1 9") is None
    assert Basis.of("") is None


def bring(lake: Context, first_id: int, *minutes: int) -> None:
    """Land a trade in each minute, proved up to the end of the last; a file follows another."""
    trades = [
        aggregate(one, T=str(MIDNIGHT + minute * MINUTE))
        for one, minute in enumerate(minutes, start=first_id)
    ]
    since = MIDNIGHT + minutes[0] * MINUTE
    times = (since, MIDNIGHT + (minutes[-1] + 1) * MINUTE)
    ids = (first_id, first_id + len(minutes) - 1)
    land(lake, "BTCUSDT", [f"[{','.join(trades)}]"], ids=ids, times=times)
    silver.consume(lake, "agg_trades")
    gold.follow(lake)


def runs_of_minutes(address: Address) -> list[tuple[int, int]]:
    async def read(ask: SqlRepository) -> Sequence[Run]:
        return await ask.runs(1, "1m", None, None)

    found = published.asked(address, read)
    return [
        ((run.from_time - MIDNIGHT) // MINUTE, (run.until_time - MIDNIGHT) // MINUTE)
        for run in found
    ]


def forget(address: Address, first: int) -> None:
    async def go() -> None:
        async with publishing(address) as publisher:
            time = MIDNIGHT + first * MINUTE
            await publisher.run("DELETE FROM runs WHERE from_time = :time", time=time)
            publisher.is_changed = True

    asyncio.run(go())


@pytest.mark.spark
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_stretches_before_what_is_new_are_left_as_they_are(
    open_lake: OpenLake, address: Address
) -> None:
    lake = open_lake()
    where = address if address.is_postgres else address_of(lake.settings)
    bring(lake, 1, 0, 3, 10, 14)
    published.run(lake, where)
    assert runs_of_minutes(where) == [(1, 3), (4, 10), (11, 14)]

    # a stretch that is taken away by hand is seen to be missing only where it is told anew
    forget(where, 1)
    bring(lake, 5, 15, 18)
    published.run(lake, where)
    assert runs_of_minutes(where) == [(4, 10), (11, 14), (16, 18)]

    bring(lake, 7, 20)
    published.run(lake, where)
    assert runs_of_minutes(where) == [(4, 10), (11, 14), (16, 18), (19, 20)]
