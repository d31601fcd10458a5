"""Publishers that are killed, meet one another or find no database; readers whose server goes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from lake.errors import DatabaseGoneError, ServeError
from serve.database.address import Address
from serve.database.repository import repository_at
from serve.publishing import bars as bar_writer
from serve.publishing.publisher import finish, publishing
from serve.publishing.series import Name, numbered
from serve.records import Publication
from serve.repository import Between
from tests.serve_database.databases import (
    MIDNIGHT,
    ROOT,
    bars_of,
    connected,
    many_bars,
    start_postgres,
    stop_postgres,
)

BTC = Name("bars", "binance", "spot", "BTCUSDT", "BTCUSDT")
EVERYTHING = Between(None, None, 100_000)
#: Puts bars, says so, and never comes to an end.
NEVER_ENDS = """
import asyncio, os, sys, time
from pydantic import SecretStr
from serve.database.address import Address
from tests.serve_database.test_faults_of_databases import put
from serve.publishing.publisher import publishing

async def go():
    words = sys.argv[1:]
    secret = SecretStr(os.environ["SECRET"]) if words[2] else None
    address = Address(words[0], 10, words[2], int(words[1]), words[3], secret)
    async with publishing(address) as publisher:
        await put(publisher, 50_000)
        print("put", flush=True)
        time.sleep(600)

asyncio.run(go())
"""


async def put(publisher: object, count: int) -> int:
    from serve.publishing.publisher import Publisher  # noqa: PLC0415

    assert isinstance(publisher, Publisher)
    (number,) = (await numbered(publisher, [BTC])).values()
    await bar_writer.put(publisher, [many_bars(number, 0, count)], {(number, 1)})
    return await finish(publisher, "run", 5)


def held(address: Address) -> tuple[int, int]:
    """Return the newest publication's number, and how many bars there are."""

    async def read() -> tuple[int, int]:
        repository = repository_at(address)
        try:
            number = (await repository.publication()).number
            return number, len(await repository.bars(1, "1m", EVERYTHING))
        finally:
            await repository.close()

    return asyncio.run(read())


def publish(address: Address, count: int) -> int:
    async def go() -> int:
        async with publishing(address) as publisher:
            return await put(publisher, count)

    return asyncio.run(go())


def begun(address: Address) -> subprocess.Popen[str]:
    """Start a publisher that has put its bars and does not end."""
    words = [address.database, str(address.port), address.host, address.user]
    secret = address.password.get_secret_value() if address.password else ""
    process = subprocess.Popen(
        [sys.executable, "-c", NEVER_ENDS, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SECRET": secret},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "put\n"
    return process


def test_a_killed_publication_is_not_visible_and_the_next_one_is_whole(address: Address) -> None:
    with begun(address) as process:
        assert held(address) == (0, 0)
        with pytest.raises(ServeError, match="another run is publishing"):
            publish(address, 10)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert held(address) == (0, 0)

    for _ in range(100):
        try:
            publish(address, 1_000)
            break
        except ServeError:
            # PostgreSQL needs a moment to see that the killed one is gone
            time.sleep(0.1)

    number, count = held(address)
    assert number >= 1
    assert count == 1_000


def test_a_publication_that_fails_leaves_nothing(address: Address) -> None:
    publish(address, 5)

    async def fail() -> None:
        async with publishing(address) as publisher:
            await bar_writer.put(publisher, [bars_of(1, [MIDNIGHT])], set())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        asyncio.run(fail())

    assert held(address) == (1, 5)


def test_a_later_revision_takes_the_place_and_an_earlier_one_never_does(address: Address) -> None:
    publish(address, 3)

    minute = 60_000_000

    async def put_again() -> dict[str, int]:
        async with publishing(address) as publisher:
            late = bars_of(
                1,
                [0, 0, 60_000],
                revision=[2, 1, 0],
                close=["3", "2", "9"],
                knowledge_us=[9 * minute, 5 * minute, 0],
                is_newest=[True, False, True],
            )
            await bar_writer.put(publisher, [late], set())
            if publisher.is_changed:
                await finish(publisher, "run", 6)
            return publisher.counts

    async def known() -> list[tuple[str | None, ...]]:
        repository = repository_at(address)
        try:
            rendered = await repository.rendered_bars(1, "1m", EVERYTHING)
            assert rendered is not None
            assert b'"close":"3"' in rendered.content
            moments = (9 * minute, 9 * minute - 1, 5 * minute - 1, 2 * minute - 1)
            then = [await repository.bars_as_of(1, "1m", EVERYTHING, one) for one in moments]
            now = await repository.bars(1, "1m", EVERYTHING)
            return [tuple(bar.close for bar in bars) for bars in (now, *then)]
        finally:
            await repository.close()

    others = ("42001.02", "42002.03")
    assert asyncio.run(put_again()) == {"bars": 1}
    assert asyncio.run(known()) == [
        *[("3", *others)] * 2,
        ("2", *others),
        ("42000.01", *others),
        (),
    ]
    assert asyncio.run(put_again()) == {}, "the same values again change nothing"


def test_a_wrong_password_is_one_clear_line(postgres: Address) -> None:
    wrong = replace(postgres, password=SecretStr("not this one"))

    with pytest.raises(ServeError, match="refuses us: password authentication failed") as told:
        publish(wrong, 1)
    assert "not this one" not in str(told.value)
    with pytest.raises(ServeError, match="CANDLELAKE_SERVE__DATABASE_PASSWORD"):
        held(wrong)


def test_no_server_is_told_at_once(postgres: Address) -> None:
    absent = replace(postgres, port=1)

    for ask in (lambda: publish(absent, 1), lambda: held(absent)):
        began = time.monotonic()
        with pytest.raises(DatabaseGoneError, match=r"postgresql://candlelake@127\.0\.0\.1:1/"):
            ask()
        assert time.monotonic() - began < 3


def test_readers_go_on_after_a_restart_of_their_server(tmp_path: Path) -> None:
    address = start_postgres(tmp_path)

    async def go() -> None:
        repository = repository_at(address)
        await asyncio.gather(*(repository.publication() for _ in range(4)))
        stop_postgres(tmp_path)
        with pytest.raises(DatabaseGoneError):
            await repository.publication()
        start_postgres(tmp_path, address.port)
        found = await asyncio.gather(*(repository.publication() for _ in range(4)))
        assert found == [Publication(0, 0)] * 4
        await repository.close()

    try:
        asyncio.run(go())
    finally:
        stop_postgres(tmp_path)


def test_a_question_that_takes_too_long_is_given_up_and_the_next_one_is_answered(
    address: Address,
) -> None:
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000)"
        " SELECT count(*) FROM n"
    )
    publish(address, 3)
    hasty = replace(address, seconds=0.3)

    async def go() -> None:
        repository = repository_at(hasty, connections=1)
        began = time.monotonic()
        with pytest.raises(DatabaseGoneError, match=r"within 0\.3 s"):
            await repository._asker.ask(endless)
        assert time.monotonic() - began < 2
        assert (await repository.publication()).number == 1
        await repository.close()

    asyncio.run(go())


def test_readers_can_not_write(address: Address) -> None:
    publish(address, 3)

    async def go() -> None:
        repository = repository_at(address)
        with pytest.raises((ServeError, DatabaseGoneError), match=r"read-?only"):
            await repository._asker.ask("DELETE FROM bars")
        await repository.close()

    asyncio.run(go())
    assert held(address) == (1, 3)


def test_a_role_of_readers_reads_what_later_publications_add(postgres: Address) -> None:
    from serve.publishing.readers import grant  # noqa: PLC0415
    from tests.serve_database.databases import new_database  # noqa: PLC0415

    address = new_database(postgres)
    reader = replace(address, user="reader_of_test", password=SecretStr("reads"))

    async def go() -> None:
        connection = await connected(address)
        await connection.execute("CREATE ROLE reader_of_test LOGIN PASSWORD 'reads'")
        await connection.close()
        async with publishing(address) as publisher:
            await grant(publisher, "reader_of_test")

    asyncio.run(go())
    publish(address, 4)

    assert held(reader) == (1, 4)
    with pytest.raises(ServeError, match="permission denied"):
        publish(reader, 1)
