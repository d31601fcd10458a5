"""A role that reads and never writes: what the API needs."""

from __future__ import annotations

import re

from lake.errors import UsageError
from serve.publishing.publisher import Publisher

ROLE = re.compile(r"[a-z_][a-z0-9_]{0,62}")
#: Of a role, in the schema that the tables are in.
GRANTS = (
    "GRANT USAGE ON SCHEMA {schema} TO {role}",
    "GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {role}",
)


async def grant(publisher: Publisher, role: str) -> None:
    """Let a role that exists read every table, those of later migrations too.

    Args:
        publisher: open, on PostgreSQL.
        role: its name.

    Raises:
        UsageError: it is no plain name.
        ServeError: there is no such role.
    """
    if ROLE.fullmatch(role) is None:
        raise UsageError(f"'{role}' is no name of a role: small letters, digits and _ are")
    ((schema,),) = await publisher.rows("SELECT current_schema()")
    for statement in GRANTS:
        await publisher.run(statement.format(schema=f'"{schema}"', role=f'"{role}"'))
    publisher.is_changed = True
