"""The whole command is killed while it publishes: nothing of it is seen, and the next is whole."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import pytest

from serve.database.address import Address
from serve.database.repository import SqlRepository
from serve.publishing.publisher import LOCK, publishing
from tests.serve_database import published
from tests.serve_database.databases import ROOT, connected, new_database, settings_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

#: A publisher waits behind this lock: it has put what comes before the table.
WAITS = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '{table}'::regclass"
PUBLISHES = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"  # noqa: S608 - our own number
    f" AND ((classid::bigint << 32) | objid::bigint) = {LOCK}"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


@contextmanager
def publish(lake: Path, address: Address) -> Iterator[subprocess.Popen[str]]:
    """Run the command in a process group of its own, which its JVM is in too."""
    command = [str(ROOT / "spark-submit.sh"), "publish", "--set", f"lake.root={lake}"]
    environment = {**os.environ, **settings_of(address), "CANDLELAKE_REQUIREMENTS": "dev"}
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        yield process


def publish_whole(lake: Path, address: Address) -> str:
    with publish(lake, address) as process:
        printed, _ = process.communicate()
    assert process.returncode == 0
    return printed


async def until_it(holds: Callable[[], Awaitable[bool]], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < end
        await asyncio.sleep(0.05)


async def killed_behind(table: str, lake: Path, address: Address) -> None:
    """Kill the command where it waits for a table, all processes of it; see its session end."""
    watcher, holder = await connected(address), await connected(address)

    async def waits() -> bool:
        return bool(await watcher.fetchval(WAITS.format(table=table)))

    async def is_gone() -> bool:
        return not await watcher.fetchval(PUBLISHES)

    hold = holder.transaction()
    await hold.start()
    await holder.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    with publish(lake, address) as process:
        await until_it(waits, 240)
        assert not await is_gone()
        os.killpg(process.pid, signal.SIGKILL)
    # the server sees by itself that nobody is there any more: the lock is held all the time
    await until_it(is_gone, 10)
    await hold.rollback()
    await close(watcher, holder)


async def close(*connections: asyncpg.Connection) -> None:
    for connection in connections:
        await connection.close()


def seen(address: Address) -> tuple[int, int]:
    """Return the newest publication's number, and how many series there are."""

    async def read(ask: SqlRepository) -> tuple[int, int]:
        return (await ask.publication()).number, len(await ask.series())

    return published.asked(address, read)


def made_ready(address: Address) -> Address:
    async def go() -> None:
        async with publishing(address):
            pass

    asyncio.run(go())
    return address


def test_a_command_that_is_killed_was_never_there_and_the_next_one_is_whole(
    bundled_lake: Path, postgres: Address
) -> None:
    killed, undisturbed = (made_ready(new_database(postgres)) for _ in range(2))

    # the bars are in and have no key yet; all bars, runs and prices are in, with their key
    for table in ("bar_blocks", "marks"):
        asyncio.run(killed_behind(table, bundled_lake, killed))
        assert seen(killed) == (0, 0), table
        assert published.bars_held(killed) == {}, table

    assert publish_whole(bundled_lake, killed).startswith("publication ")
    publish_whole(bundled_lake, undisturbed)
    held = published.bars_held(killed)
    assert sum(map(len, held.values())) > 0
    assert held == published.bars_held(undisturbed)
    assert publish_whole(bundled_lake, killed).startswith("nothing new")
