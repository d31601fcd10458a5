"""How a table that an older version made grows to the present schema, without a data file."""

from __future__ import annotations

from pyspark.sql import types as T  # noqa: N812

from lake.errors import StorageError
from lake.tables import Table


def growth(table: Table, held: T.StructType, location: str) -> list[str]:
    """Return the SQL statements that bring a table up to its schema; none where it is.

    A new column has to be nullable and stands where the schema has it; a column that was required
    may become nullable. Columns that only the table has stay.

    Args:
        table: of the registry.
        held: the columns that the table has.
        location: its address.

    Raises:
        StorageError: anything else differs; rows that lack it can't be made up.
    """
    of_table = f"ALTER TABLE delta.`{location}`"
    known = {field.name: field for field in held}
    statements, before = [], "FIRST"
    for field in table.schema:
        there = known.get(field.name)
        if there is None and field.nullable:
            column = f"`{field.name}` {field.dataType.simpleString()}"
            statements.append(f"{of_table} ADD COLUMNS ({column} {before})")
        elif there is None or there.dataType != field.dataType:
            raise _to_be_made_anew(table, location, field.name)
        elif field.nullable and not there.nullable:
            statements.append(f"{of_table} ALTER COLUMN `{field.name}` DROP NOT NULL")
        before = f"AFTER `{field.name}`"
    return statements


def _to_be_made_anew(table: Table, location: str, column: str) -> StorageError:
    return StorageError(
        f"an older version made the table {table.name}, and its column '{column}' differs",
        where=location,
        hint="Everything but bronze can be made anew: move the folders silver, gold, ops and"
        " checkpoints out of the lake, then run ./spark-submit.sh pipeline.",
    )
