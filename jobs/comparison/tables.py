"""The tables of two lakes, row by row, read without Spark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from lake.objects import ObjectStore
from lake.tables import (
    OPS_CONFLICTS,
    OPS_CONTINUITY,
    OPS_QUARANTINE,
    OPS_WATERMARKS,
    TABLES,
    Table,
)
from serve.files.delta import opened

#: What a run says of itself: its name and its clock. Two runs never agree in them.
OWN = frozenset(
    {
        "run_id",
        "end_download_timestamp",
        "knowledge_timestamp",
        "updated_at",
        "quarantined_at",
    }
)
#: Where a row lies in bronze. A collector's files are named by the moments in which it sent them.
PLACE = ("bronze_file", "bronze_line")
OF_A_COLLECTOR = "~live~"
#: Beside silver and gold: what is known of ids, and what was turned away.
OF_OPS = (OPS_CONTINUITY, OPS_WATERMARKS, OPS_QUARANTINE, OPS_CONFLICTS)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of comparing one table.

    Attributes:
        rows: how many each side has.
        difference: of the first rows that differ, in words; empty where none does.
    """

    table: str
    rows: tuple[int, int]
    difference: str = ""

    def __str__(self) -> str:
        here, there = self.rows
        if not self.difference:
            return f"{self.table}: {here} rows, identical"
        return f"{self.table}: {here} rows here, {there} there; {self.difference}"


def compared(here: ObjectStore, there: ObjectStore) -> Iterator[Verdict]:
    """Yield a verdict on each table that one of the lakes has.

    Raises:
        StorageError: a table can't be read.
    """
    facts = [one for one in TABLES.values() if one.name.startswith(("silver.", "gold."))]
    for table in (*facts, *OF_OPS):
        sides = [rows_of(store, table) for store in (here, there)]
        if any(side is not None for side in sides):
            yield _judged(table, *(side if side is not None else _none(table) for side in sides))


def rows_of(store: ObjectStore, table: Table) -> pa.Table | None:
    """Return a table's rows without what is its run's own, in one order; None where it is not."""
    source = opened(store, table)
    if source is None:
        return None
    names = [name for name in table.schema.fieldNames() if name not in OWN]
    rows = source.rows.to_table(columns=names)
    for name in names:
        if pa.types.is_nested(rows[name].type):
            texts = pa.array([str(one) for one in rows[name].to_pylist()], pa.string())
            rows = rows.set_column(rows.schema.get_field_index(name), name, texts)
    rows = _without_moments(rows)
    first = [name for name in table.key if name in names]
    order = [*first, *(name for name in names if name not in first)]
    return rows.sort_by([(name, "ascending") for name in order])


def first_difference(names: Sequence[str], here: pa.Table, there: pa.Table) -> str:
    """Return in words where two ordered tables part; empty where they are the same."""
    if here.equals(there) or here.num_rows == there.num_rows == 0:
        return ""
    count = min(here.num_rows, there.num_rows)
    places = [
        (place, name)
        for name in here.column_names
        if (place := _place(here[name][:count], there[name][:count])) >= 0
    ]
    if not places:
        return "the longer one has rows behind the other's last"
    place, name = min(places, key=lambda one: one[0])
    key = " ".join(str(here[one][place]) for one in names if one in here.column_names)
    return f"first at {key}: {name} is {here[name][place]} here, {there[name][place]} there"


def _judged(table: Table, here: pa.Table, there: pa.Table) -> Verdict:
    rows = (here.num_rows, there.num_rows)
    return Verdict(table.name, rows, first_difference(table.key, here, there))


def _none(table: Table) -> pa.Table:
    return pa.table({name: [] for name in table.schema.fieldNames()})


def _without_moments(rows: pa.Table) -> pa.Table:
    """Leave out where rows of a collector lie."""
    if PLACE[0] not in rows.column_names:
        return rows
    is_live = pc.match_substring(rows[PLACE[0]], OF_A_COLLECTOR)
    for name in PLACE:
        kept = pc.if_else(is_live, pa.scalar(None, rows[name].type), rows[name])
        rows = rows.set_column(rows.schema.get_field_index(name), name, kept)
    return rows


def _place(here: pa.ChunkedArray, there: pa.ChunkedArray) -> int:
    """Return the first place at which two columns differ, -1 for none; null equals null."""
    differ = pc.fill_null(pc.not_equal(here, there), pc.xor(pc.is_null(here), pc.is_null(there)))
    return int(pc.index(differ, value=True).as_py())
