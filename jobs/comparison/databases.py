"""The serving databases of two lakes, row by row; one may be PostgreSQL, the other embedded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Boolean, Table

from jobs.comparison.tables import Verdict
from serve.database.address import Address
from serve.database.asking import Asker, asker_of
from serve.database.schema import (
    EXACT,
    GATE_RESULTS,
    METADATA,
    POSITIONS,
    PUBLICATIONS,
    SERIES,
    SOURCES,
)
from serve.records import plain

#: Which versions of its own lake a database has read, and how often each run has tried what.
OWN_TABLES = (PUBLICATIONS, SOURCES, POSITIONS, GATE_RESULTS)
#: A run's name and clock, and the number that a database has given to a series.
OWN = frozenset({"run_id", "knowledge_us", "checked_at", "updated_at", "series_id", "version"})
IDENTITY = ("series_type", "exchange", "kind", "instrument_uid")
Row = tuple[Any, ...]


def compared(here: Address, there: Address) -> Iterator[Verdict]:
    """Yield a verdict on each table of the serving databases.

    Raises:
        DatabaseGoneError: one can't be asked.
        ServeError: one refuses.
    """
    sides = [asyncio.run(_everything(one)) for one in (here, there)]
    for name in sides[0]:
        rows, others = sides[0][name], sides[1][name]
        yield Verdict(f"serve.{name}", (len(rows), len(others)), _difference(rows, others))


def _difference(here: Sequence[Row], there: Sequence[Row]) -> str:
    if here == there:
        return ""
    pairs = zip(here, there, strict=False)
    ours, theirs = next((pair for pair in pairs if pair[0] != pair[1]), ((), ()))
    if not ours:
        return "the longer one has rows behind the other's last"
    return f"first: {_shown(ours)} here, {_shown(theirs)} there"


def _shown(row: Row) -> str:
    return " ".join(map(str, row))[:300]


async def _everything(address: Address) -> Mapping[str, Sequence[Row]]:
    asker = asker_of(address, 1)
    try:
        series = await _series(asker)
        return {
            table.name: await _rows(asker, table, series)
            for table in METADATA.sorted_tables
            if table not in OWN_TABLES
        }
    finally:
        await asker.close()


async def _series(asker: Asker) -> Mapping[int, Row]:
    names = ", ".join(("series_id", *IDENTITY))
    found = await asker.ask(f"SELECT {names} FROM {SERIES.name}")  # noqa: S608 - our own names
    return {number: tuple(identity) for number, *identity in found}


async def _rows(asker: Asker, table: Table, series: Mapping[int, Row]) -> Sequence[Row]:
    """Return a table's rows, sorted; a series stands under its identity."""
    columns = [column for column in table.columns if column.name not in OWN]
    has_series = "series_id" in table.columns
    names = [*(["series_id"] if has_series else []), *(column.name for column in columns)]
    found = await asker.ask(f"SELECT {', '.join(names)} FROM {table.name}")  # noqa: S608 - as above
    rows = []
    for row in found:
        values = list(row)
        identity = series[values.pop(0)] if has_series else ()
        kept = [_alike(value, column.type) for value, column in zip(values, columns, strict=True)]
        rows.append((*identity, *kept))
    return sorted(rows, key=repr)


def _alike(value: Any, kind: Any) -> Any:
    """Return a value as both databases have it: a decimal as text, a boolean as such."""
    if value is not None and kind is EXACT:
        return plain(Decimal(value))
    return bool(value) if isinstance(kind, Boolean) else value
