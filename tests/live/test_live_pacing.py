"""Messages, connections and tries come no faster than an exchange allows."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise

from extract.live.deribit import LIMITS
from extract.live.pacing import BackOff, Turns
from lake.settings import load_settings


async def taken(turns: Turns, times: int, users: int) -> list[float]:
    """Return when each of `users` got each of its turns."""
    found: list[float] = []

    async def use() -> None:
        for _ in range(times):
            await turns.take()
            found.append(asyncio.get_running_loop().time())

    await asyncio.gather(*[use() for _ in range(users)])
    return found


def test_all_who_share_turns_keep_one_pace() -> None:
    async def run() -> list[float]:
        return await taken(Turns(1, 0.05), times=3, users=3)

    moments = asyncio.run(run())

    assert len(moments) == 9
    assert min(after - before for before, after in pairwise(moments)) > 0.045


def test_a_window_lets_a_burst_through_and_then_waits() -> None:
    async def run() -> list[float]:
        return await taken(Turns(4, 0.3), times=6, users=1)

    moments = asyncio.run(run())

    assert moments[3] - moments[0] < 0.2
    assert moments[4] - moments[0] >= 0.29


def test_deribit_counts_the_messages_of_an_address() -> None:
    assert LIMITS.counts_by_address
    assert LIMITS.channels <= 500
    assert LIMITS.message_seconds >= 1 / 3.3


def test_waits_grow_to_a_ceiling_with_jitter_and_begin_anew() -> None:
    settings = load_settings(
        "local", ["extract.backoff_seconds=1", "extract.backoff_ceiling_seconds=8"], environ={}
    )
    back_off = BackOff(settings.extract, random.Random(7))  # noqa: S311 - jitter
    waits = [back_off.wait_seconds() for _ in range(200)]

    assert waits[0] <= 1
    assert waits[1] <= 2
    assert 7 < max(waits) <= 8
    assert len(set(waits)) > 190
    back_off.succeeded()
    assert back_off.wait_seconds() <= 1
