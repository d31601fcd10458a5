"""Bring a serving database up to the present schema, by Alembic's migrations of this folder."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from lake.beside import beside_code

MIGRATIONS = "serve/database/migrations"


async def migrate(connection: AsyncConnection) -> list[str]:
    """Run the migrations that the database lacks, in its present transaction.

    Returns:
        The revisions that were run, oldest first.
    """
    return await connection.run_sync(_upgraded)


def _upgraded(connection: Connection) -> list[str]:
    config = Config()
    config.set_main_option("script_location", str(beside_code(MIGRATIONS)).replace("%", "%%"))
    config.attributes["connection"] = connection
    before = MigrationContext.configure(connection).get_current_revision()
    command.upgrade(config, "head")
    script = ScriptDirectory.from_config(config)
    lacked = script.iterate_revisions("head", before or "base")
    return [revision.revision for revision in lacked][::-1]
