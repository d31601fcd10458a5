"""Questions to the serving database: one text for both kinds, answered as tuples.

PostgreSQL is asked over asyncpg's own pool, below SQLAlchemy: its statements stay prepared, and
nothing stands between an answer's bytes and whoever asked.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import aiosqlite
import asyncpg  # type: ignore[import-untyped]

from serve.database.address import Address
from serve.database.connecting import CONNECT_SECONDS, told

Answer = Sequence[Any]
#: A server that gives no word at all is given up so much later than it should have itself.
PATIENCE_SECONDS = 1


class Asker(Protocol):
    """Who asks a database; parameters are `$1`, `$2` and so on."""

    async def ask(self, question: str, *values: Any) -> Sequence[Answer]:
        """Return the rows of an answer; none where nothing was ever published.

        Raises:
            DatabaseGoneError: the database can't be asked now, or takes too long.
            ServeError: it refuses us.
        """
        ...

    async def close(self) -> None:
        """Give all connections back."""
        ...


class PostgresAsker:
    """Asks a PostgreSQL over so many connections, made when they are needed."""

    def __init__(self, address: Address, connections: int) -> None:
        self._address = address
        self._connections = connections
        self._pool: Any = None
        self._opening = asyncio.Lock()

    async def ask(self, question: str, *values: Any) -> Sequence[Answer]:
        """Return the rows of an answer."""
        with told(self._address):
            pool = self._pool or await self._opened()
            try:
                found: Sequence[Answer] = await self._fetched(pool, question, values)
            except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError):
                # a connection that the server has closed since it was used last is replaced
                found = await self._fetched(pool, question, values)
            except asyncpg.UndefinedTableError:
                found = []
            return found

    async def close(self) -> None:
        """Give all connections back."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def _fetched(self, pool: Any, question: str, values: Sequence[Any]) -> Sequence[Answer]:
        async with pool.acquire(timeout=self._address.seconds) as connection:
            found: Sequence[Answer] = await connection.fetch(question, *values)
            return found

    async def _opened(self) -> Any:
        async with self._opening:
            if self._pool is None:
                address = self._address
                self._pool = await asyncpg.create_pool(
                    host=address.host,
                    port=address.port,
                    user=address.user or None,
                    password=address.password.get_secret_value() if address.password else None,
                    database=address.database,
                    min_size=0,
                    max_size=self._connections,
                    timeout=CONNECT_SECONDS,
                    command_timeout=address.seconds + PATIENCE_SECONDS,
                    # nothing is ever set on a connection: it need not be put back in order
                    reset=_as_it_is,
                    server_settings={
                        "application_name": "candlelake serve",
                        "default_transaction_read_only": "on",
                        "statement_timeout": str(round(address.seconds * 1000)),
                        # to compile a question takes longer than to answer it
                        "jit": "off",
                    },
                )
            return self._pool


class SqliteAsker:
    """Asks an SQLite file, or a database in memory, which it keeps alive."""

    def __init__(self, address: Address, connections: int) -> None:
        self._address = address
        self._idle: asyncio.LifoQueue[aiosqlite.Connection | None] = asyncio.LifoQueue()
        for _ in range(connections):
            self._idle.put_nowait(None)
        self._open: set[aiosqlite.Connection] = set()

    async def ask(self, question: str, *values: Any) -> Sequence[Answer]:
        """Return the rows of an answer."""
        if not self._is_there():
            return []
        named = {str(place): value for place, value in enumerate(values, start=1)}
        with told(self._address):
            connection = await self._idle.get()
            try:
                connection = connection or await self._opened()
                return await self._fetched(connection, question, named)
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):
                    return []
                raise
            finally:
                self._idle.put_nowait(connection)

    async def close(self) -> None:
        """Give all connections back."""
        for connection in self._open:
            await connection.close()
        self._open.clear()
        while not self._idle.empty():
            self._idle.get_nowait()

    def _is_there(self) -> bool:
        return bool(self._address.memory) or Path(self._address.database).exists()

    async def _fetched(
        self, connection: aiosqlite.Connection, question: str, values: dict[str, Any]
    ) -> Sequence[Answer]:
        asked = asyncio.ensure_future(connection.execute_fetchall(question, values))
        done, _ = await asyncio.wait([asked], timeout=self._address.seconds)
        if not done:
            await connection.interrupt()
            await asyncio.wait([asked])
            raise TimeoutError(f"no answer within {self._address.seconds:g} s")
        return list(await asked)

    async def _opened(self) -> aiosqlite.Connection:
        name = self._address.file
        uri = name if self._address.memory else f"{name}?mode=ro"
        connection = await aiosqlite.connect(uri, uri=True)
        self._open.add(connection)
        return connection


def asker_of(address: Address, connections: int) -> Asker:
    """Return who asks this database."""
    kind = PostgresAsker if address.is_postgres else SqliteAsker
    return kind(address, connections)


async def _as_it_is(_connection: object) -> None:
    pass
