"""A packed file says the same to silver and the ledger as the files that it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from delta.tables import DeltaTable

from extract.packing import Packer, Small
from jobs import rebuild, silver
from jobs.context import Context
from jobs.options import select
from lake.bronze import BronzeName, Coverage, parse_name
from lake.tables import OPS_CONTINUITY, OPS_QUARANTINE, SILVER_AGG_TRADES
from tests.jobs.conftest import OpenLake
from tests.jobs.landed import MIDNIGHT, aggregate, envelope, held, land

pytestmark = [pytest.mark.spark, pytest.mark.slow]

#: Instrument -> its answer, and the ids that its file claims.
ANSWERS: dict[str, tuple[str, tuple[int, int]]] = {
    "WHOLE": (f"[{aggregate(1)},{aggregate(2)},{aggregate(3)}]", (1, 3)),
    "HOLE": (f"[{aggregate(1)},{aggregate(3)}]", (1, 3)),
    "BEYOND": (f"[{aggregate(4)},{aggregate(5)}]", (4, 4)),
    "WORD": (f"[{aggregate(1, p=chr(34) + 'dear' + chr(34))},{aggregate(2)}]", (1, 2)),
    "BROKEN": ("<html>", (7, 9)),
    "SILENT": ("[]", (5, 4)),
}
#: What differs, for it names the file.
LINEAGE = ("bronze_file", "bronze_line", "quarantined_at")


def pack(context: Context) -> None:
    """Land all answers in one packed file."""
    packer = Packer(context.store, context.clock)
    for instrument, (body, ids) in ANSWERS.items():
        of: dict[str, Any] = {
            "exchange": "binance",
            "kind": "spot",
            "dataset": "agg_trades",
            "instrument": instrument,
            "mode": "history",
        }
        name = BronzeName(**of, coverage=Coverage(*ids, MIDNIGHT, MIDNIGHT + 60_000))
        packer.take(Small(name, [envelope(**of, body=body)], 0, lambda _: None))
    assert packer.flush() == 1


def told(context: Context, *tables: Any) -> list[list[dict[str, Any]]]:
    """Return the rows of tables, without what names their place in bronze."""
    rows = [held(context, table) for table in tables]
    return [
        sorted(
            ({k: v for k, v in row.items() if k not in LINEAGE} for row in of_table),
            key=lambda row: [str(row[name]) for name in sorted(row)],
        )
        for of_table in rows
    ]


TABLES = (SILVER_AGG_TRADES, OPS_QUARANTINE, OPS_CONTINUITY)


@dataclass(frozen=True)
class Fed:
    """A lake that was fed the pack, and what its tables then said."""

    context: Context
    told: list[list[dict[str, Any]]]


@pytest.fixture(scope="module")
def packed(open_lake: OpenLake) -> Fed:
    context = open_lake("bronze.quarantine_rows=1000")
    pack(context)
    silver.consume(context, "agg_trades")
    return Fed(context, told(context, *TABLES))


def test_silver_quarantine_and_ledger_are_the_same_as_of_single_files(
    open_lake: OpenLake, packed: Fed
) -> None:
    alone = open_lake("bronze.quarantine_rows=1000")
    for instrument, (body, ids) in ANSWERS.items():
        land(alone, instrument, [body], ids=ids)
    silver.consume(alone, "agg_trades")

    assert packed.told == told(alone, *TABLES)
    ledger = {(row["instrument"], row["entry"], row["first_id"]) for row in packed.told[2]}
    assert {("WHOLE", "held", 1), ("HOLE", "hole", 2), ("SILENT", "quiet", 5)} <= ledger


def test_a_row_names_the_pack_that_it_came_from(packed: Fed) -> None:
    (file,) = {row["bronze_file"] for row in held(packed.context, SILVER_AGG_TRADES)}

    assert parse_name(file).instrument == "_all"
    assert packed.context.store.read(file) is not None


def test_one_packed_instrument_is_built_again_and_nothing_else_moves(packed: Fed) -> None:
    context = packed.context
    silver_table = context.store.location(SILVER_AGG_TRADES.path)
    DeltaTable.forPath(context.spark, silver_table).delete("instrument IN ('WHOLE', 'HOLE')")
    selection = select(
        context.settings,
        exchange="binance",
        kind="spot",
        instruments="WHOLE",
        start="2024-01-01",
        end="2024-01-02",
    )

    rebuild.run(context, "silver.agg_trades", selection)

    ids = [(row["instrument"], row["agg_id"]) for row in held(context, SILVER_AGG_TRADES)]
    assert sorted(ids) == [("BEYOND", 4), ("WHOLE", 1), ("WHOLE", 2), ("WHOLE", 3), ("WORD", 2)]
    assert told(context, OPS_CONTINUITY) == [packed.told[2]]
