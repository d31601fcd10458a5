"""Engines of the serving database, and what their faults mean in our words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from lake.errors import CandlelakeError, DatabaseGoneError, ServeError
from serve.database.address import VARIABLE, Address

CONNECT_SECONDS = 5
#: What asyncpg and SQLite raise where the database can't be asked now.
GONE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InternalClientError,
)
REFUSED = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)


def engine_of(address: Address) -> AsyncEngine:
    """Return an engine whose connections write: one transaction each, ours to begin and to end."""
    if address.is_postgres:
        return create_async_engine(
            address.url, poolclass=NullPool, connect_args={"timeout": CONNECT_SECONDS}
        )
    engine = create_async_engine(address.url, poolclass=NullPool, connect_args={"timeout": 0})
    event.listen(engine.sync_engine, "connect", _prepared)
    event.listen(engine.sync_engine, "begin", _begun)
    return engine


def _prepared(connection: Any, _record: object) -> None:
    """Leave transactions to us, DDL in them too, and let readers read while one is written."""
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def _begun(connection: Any) -> None:
    # at once with the right to write: a second writer is refused here, not in the middle
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def told(address: Address) -> Iterator[None]:
    """Turn the drivers' faults into ours: one clear line that names the database.

    Raises:
        DatabaseGoneError: it can't be asked now.
        ServeError: it refuses.
    """
    try:
        yield
    except CandlelakeError:
        raise
    except DBAPIError as error:
        raise _fault(_driver_fault(error), address) from error
    except (*GONE, asyncpg.PostgresError, sqlite3.Error) as error:
        raise _fault(error, address) from error


def _driver_fault(error: DBAPIError) -> BaseException:
    cause = error.orig
    inner = cause.__cause__ if cause is not None else None
    return inner or cause or error


def _fault(error: BaseException, address: Address) -> CandlelakeError:
    if isinstance(error, REFUSED):
        return ServeError(
            f"the database refuses us: {_words(error)}",
            where=address.shown,
            hint=f"See serve.database_url, and the password in {VARIABLE}.",
        )
    if isinstance(error, asyncpg.QueryCanceledError):
        return DatabaseGoneError(
            f"the database has not answered within {address.seconds:g} s",
            where=address.shown,
            hint="Ask for less, or let it take longer with serve.statement_seconds.",
        )
    if isinstance(error, asyncpg.UndefinedTableError) or "no such table" in str(error):
        return ServeError(
            "the database has no tables yet",
            where=address.shown,
            hint="Run ./spark-submit.sh publish.",
        )
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return ServeError(
            "another run is publishing", where=address.shown, hint="Run again when it has ended."
        )
    if isinstance(error, (*GONE, InterfaceError, sqlite3.OperationalError)):
        return DatabaseGoneError(
            f"the database can't be asked: {_words(error)}",
            where=address.shown,
            hint="See that it runs and can be reached; nothing has to be restarted here.",
        )
    return ServeError(f"the database refuses: {_words(error)}", where=address.shown)


def _words(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
