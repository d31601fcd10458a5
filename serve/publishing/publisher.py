"""One publication: a transaction that holds the right to publish, and what fills tables in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa
import pyarrow.csv
from sqlalchemy import Table, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from lake.errors import ServeError
from serve.database.address import Address
from serve.database.connecting import engine_of, told
from serve.database.migrating import migrate
from serve.database.schema import PUBLICATIONS, SOURCES

#: So often PostgreSQL looks whether the publisher is still there.
GONE_MS = 1000
#: PostgreSQL's lock of the one who publishes: any number, as long as it is always the same.
LOCK = 7_204_519_683_201
AS_IT_IS = pa.csv.WriteOptions(include_header=False, quoting_style="none")
QUOTED = pa.csv.WriteOptions(include_header=False, quoting_style="needed")
SENT_AT_ONCE = 1 << 19
Row = Mapping[str, Any]


@dataclass(slots=True)
class Publisher:
    """An open publication; nothing of it can be seen before it is finished.

    Attributes:
        counts: rows that were new or changed, by table.
        versions: up to which version each table of the lake was read.
        is_changed: whether anything was written.
    """

    connection: AsyncConnection
    address: Address
    counts: dict[str, int] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    is_changed: bool = False

    async def run(self, statement: str, **values: Any) -> int:
        """Execute a statement; return how many rows it changed."""
        done = await self.connection.execute(text(statement), values)
        return int(done.rowcount)

    async def rows(self, statement: str, **values: Any) -> Sequence[Any]:
        """Return what a question is answered."""
        return (await self.connection.execute(text(statement), values)).all()

    async def load(self, table: str, rows: pa.Table, *, is_plain: bool = False) -> None:
        """Add rows in bulk: by COPY, or in SQLite by one prepared statement.

        Args:
            table: its name; its columns are those of `rows`.
            rows: numbers, truth values and text; decimals as text.
            is_plain: no text of them holds a comma, a quote or a line break.
        """
        if not rows.num_rows:
            return
        if not self.address.is_postgres:
            columns = [column.to_pylist() for column in rows.columns]
            await self._add(table, rows.column_names, zip(*columns, strict=True))
            return
        written = pa.BufferOutputStream()
        pa.csv.write_csv(rows, written, AS_IT_IS if is_plain else QUOTED)
        await self.copy(table, rows.column_names, [memoryview(written.getvalue())], "csv")

    async def copy(
        self,
        table: str,
        columns: Sequence[str],
        pieces: Sequence[memoryview | bytes],
        form: Literal["csv", "binary"],
    ) -> None:
        """Send a stream to a table of PostgreSQL by COPY."""

        async def parts() -> AsyncIterator[memoryview | bytes]:
            for piece in pieces:
                for place in range(0, len(piece), SENT_AT_ONCE):
                    yield piece[place : place + SENT_AT_ONCE]

        await (await self._driver()).copy_to_table(
            table, source=parts(), columns=columns, format=form, timeout=None
        )

    async def add(self, table: Table, rows: Iterable[Row]) -> None:
        """Add a few rows."""
        listed = list(rows)
        if listed:
            await self.connection.execute(insert(table), listed)

    async def add_records(
        self, table: str, columns: Sequence[str], records: Sequence[tuple[Any, ...]]
    ) -> None:
        """Add rows that hold bytes."""
        if not records:
            return
        if self.address.is_postgres:
            driver = await self._driver()
            await driver.copy_records_to_table(table, records=records, columns=columns)
        else:
            await self._add(table, columns, records)

    async def replace(self, table: Table, rows: pa.Table, where: str = "1 = 1") -> None:
        """Put rows in the place of those for which `where` holds."""
        await self.run(f"DELETE FROM {table.name} WHERE {where}")  # noqa: S608 - our own words
        await self.load(table.name, rows)
        self.changed(table.name, rows.num_rows)

    def changed(self, name: str, count: int) -> None:
        """Count rows that were written."""
        self.counts[name] = self.counts.get(name, 0) + count
        self.is_changed = True

    async def _driver(self) -> Any:
        return (await self.connection.get_raw_connection()).driver_connection

    async def _add(
        self, table: str, columns: Sequence[str], records: Iterable[tuple[Any, ...]]
    ) -> None:
        marks = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608
        driver = await self._driver()
        await driver.executemany(statement, records)


@asynccontextmanager
async def publishing(address: Address) -> AsyncIterator[Publisher]:
    """Open a publication of the newest schema; it is committed where the block ends without fault.

    Raises:
        ServeError: another one is open, or the database refuses.
        DatabaseGoneError: it can't be asked.
    """
    engine = engine_of(address)
    try:
        with told(address):
            async with engine.connect() as connection, connection.begin() as transaction:
                if address.is_postgres:
                    await _lock(connection, address)
                is_new = bool(await migrate(connection))
                publisher = Publisher(connection, address, is_changed=is_new)
                yield publisher
                if not publisher.is_changed:
                    await transaction.rollback()
    finally:
        await engine.dispose()


async def finish(publisher: Publisher, run_id: str, published_at: int) -> int:
    """Write down what was published, up to which versions; return the publication's number.

    Args:
        publisher: open; something was written.
        run_id: of the run that publishes.
        published_at: now, in UNIX ms.
    """
    counts = {name: publisher.counts.get(name, 0) for name in ("bars", "index_prices", "trades")}
    values = {"published_at": published_at, "run_id": run_id, **counts}
    added = await publisher.connection.execute(
        insert(PUBLICATIONS).values(values).returning(PUBLICATIONS.c.number)
    )
    number = int(added.scalar_one())
    read = [
        {"number": number, "table_name": name, "version": version}
        for name, version in sorted(publisher.versions.items())
    ]
    await publisher.add(SOURCES, read)
    return number


async def versions_held(publisher: Publisher) -> Mapping[str, int]:
    """Return up to which version the newest publication that read a table has read it."""
    newest = select(SOURCES.c.table_name, SOURCES.c.version).order_by(SOURCES.c.number)
    found = await publisher.connection.execute(newest)
    return {row.table_name: row.version for row in found}


async def _lock(connection: AsyncConnection, address: Address) -> None:
    taken = await connection.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": LOCK})
    if not taken.scalar_one():
        raise ServeError(
            "another run is publishing", where=address.shown, hint="Run again when it has ended."
        )
    # an answer that takes long is no fault here, whatever the role's own settings are
    await connection.execute(text("SET LOCAL statement_timeout = 0"))
    # of a killed publisher PostgreSQL gives up even what takes long, where its system can tell
    with suppress(DBAPIError):
        async with connection.begin_nested():
            await connection.execute(
                text(f"SET LOCAL client_connection_check_interval = {GONE_MS}")
            )
