"""The migrations make the schema that the code knows, from nothing, on each kind of database."""

from __future__ import annotations

import asyncio
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from serve.database.address import Address
from serve.database.schema import METADATA
from serve.publishing.publisher import publishing


def differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, METADATA))


def upgraded(address: Address) -> tuple[bool, list[Any]]:
    async def go() -> tuple[bool, list[Any]]:
        async with publishing(address) as publisher:
            return publisher.is_changed, await publisher.connection.run_sync(differences)

    return asyncio.run(go())


def test_migrations_from_nothing_make_the_schema_once(address: Address) -> None:
    assert upgraded(address) == (True, [])
    assert upgraded(address) == (False, [])
