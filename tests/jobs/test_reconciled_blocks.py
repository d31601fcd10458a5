"""Blocks that are settled unread: the certificate is the one that reading every row gives."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from jobs.context import Context
from jobs.options import Segment, Selection
from jobs.reconciliation import checks
from jobs.reconciliation.settled import blocks, reading, tallies
from jobs.reconciliation.settled.blocks import Blocks
from lake.tables import OPS_RECONCILIATION_DIFFERENCES
from tests.jobs.conftest import OpenLake
from tests.jobs.landed import MIDNIGHT, aggregate, held, know, land

pytestmark = pytest.mark.spark

HOUR_MS = 3_600_000
WINDOW = (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, 1, tzinfo=UTC))
#: Rows of a block, so that a few rows are many blocks.
BLOCK = 8
OWN = {"run_id", "checked_at", "detected_at"}
SPAN = (MIDNIGHT - HOUR_MS, MIDNIGHT + 2 * HOUR_MS)
Cells = dict[str, str]


def row(identifier: int, **changes: str) -> Cells:
    """Return an aggregate's values as REST names them."""
    return {
        "a": str(identifier),
        "p": f"42000.{identifier:04}",
        "q": "0.50000000",
        "f": str(identifier),
        "l": str(identifier),
        "T": str(MIDNIGHT + 1000 * identifier),
        "m": "true" if identifier % 3 else "false",
        "M": "true",
        **changes,
    }


def line(cells: Cells, *, micros: bool = False) -> str:
    """Write a row as the archive does, trailing zeros and capitals included."""
    values = {**cells, "p": f"{cells['p']}0000", "m": cells["m"].title(), "M": "True"}
    if micros:
        values["T"] = f"{cells['T']}123"
    return ",".join(values.values())


def answer(rows: Sequence[Cells]) -> str:
    texts = ({**cells, "p": f'"{cells["p"]}"', "q": f'"{cells["q"]}"'} for cells in rows)
    return f"[{','.join(aggregate(0, **text) for text in texts)}]"


def both(context: Context, name: str, rest: Sequence[Cells], archive: Sequence[Cells]) -> None:
    """Land the same ids by REST, three rows an answer, and by the archive with a header line."""
    ids = (0, 99)
    pages = [answer(rest[first : first + 3]) for first in range(0, len(rest), 3)]
    land(context, name, pages, ids=ids, times=SPAN)
    text = "\r\n".join(["agg_trade_id,price", *map(line, archive)])
    land(context, name, [text], ids=ids, times=SPAN, mode="archive")


ALL = [row(n) for n in range(40)]


def changed(place: int, **changes: str) -> list[Cells]:
    return [*ALL[:place], row(place, **changes), *ALL[place + 1 :]]


#: By instrument: what REST says, and what the archive says.
SCENARIOS: Mapping[str, tuple[Sequence[Cells], Sequence[Cells]]] = {
    "SAME": (ALL, ALL),
    "PRICE": (changed(20, p="1"), ALL),
    "SIDE": (ALL, changed(9, m="false" if ALL[9]["m"] == "true" else "true")),
    "SWAPPED": (
        [*ALL[:10], row(10, p=ALL[11]["p"]), row(11, p=ALL[10]["p"]), *ALL[12:]],
        ALL,
    ),
    "LACKING": ([*ALL[:17], *ALL[18:]], ALL),
    "BOTHLACK": ([*ALL[:17], *ALL[18:]], [*ALL[:17], *ALL[18:]]),
    "TWICE": ([*ALL[:17], *ALL[16:]], ALL),
    "BOTHTWICE": ([*ALL[:17], ALL[16], *ALL[18:]], [*ALL[:17], ALL[16], *ALL[18:]]),
    "FREE": (changed(33, p="0"), changed(33, p="0")),
    "VOID": (changed(33, q="0"), ALL),
    "BACKWARDS": (changed(3, l="2"), changed(3, l="2")),
    "EARLY": (changed(3, T="1000000000000"), changed(3, T="1000000000000")),
    "FINE": (changed(3, p="1.00000000001"), ALL),
    "SPACED": (changed(3, T=f" {MIDNIGHT + 3000}"), ALL),
    "BEFORE": (changed(0, T=str(MIDNIGHT - 1)), ALL),
    "OUTSIDE": (
        [row(n, T=str(MIDNIGHT - HOUR_MS + n)) for n in range(16)] + ALL[16:],
        [row(n, T=str(MIDNIGHT - HOUR_MS + n)) for n in range(16)] + ALL[16:],
    ),
    "ONESIDED": (ALL[:16], ALL),
}


@pytest.fixture(scope="module")
def lake(open_lake: OpenLake) -> Context:
    context = open_lake("reconcile.keep_rows=0")
    for name, (rest, archive) in SCENARIOS.items():
        both(context, name, rest, archive)
    # a page runs on beyond what its file claims, and its last row is another one there
    beyond = [*ALL[:9], row(9, p="7")]
    land(context, "BEYOND", [answer(beyond)], ids=(0, 8), times=SPAN)
    land(context, "BEYOND", [answer(ALL[9:])], ids=(9, 99), times=SPAN)
    land(context, "BEYOND", ["\n".join(map(line, ALL))], ids=(0, 99), times=SPAN, mode="archive")
    # published anew: most of it says the same once more
    both(context, "ANEW", ALL, ALL)
    anew = "\n".join(map(line, changed(20, p="7")))
    land(context, "ANEW", [anew], ids=(0, 99), times=SPAN, mode="archive", tag="anew")
    # two listings, of two units: which one holds is asked row by row
    moments = {"SAME": (0,), "RELISTED": (0, 20)}
    both(context, "RELISTED", ALL, ALL)
    know(
        context,
        *[
            {
                "instrument": name,
                "instrument_uid": name,
                "base_unit": f"unit {at}",
                "valid_from": WINDOW[0] + timedelta(seconds=at),
            }
            for name, starts in moments.items()
            for at in starts
        ],
    )
    return context


def test_every_certificate_is_the_one_of_all_rows(
    lake: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same counts, causes, checksums and evidence, whichever way each block went."""
    monkeypatch.setattr(tallies, "BLOCK", BLOCK)
    seen: list[Blocks] = []
    judged = blocks.judged

    def watched(tallied: pd.DataFrame, touched: Collection[tuple[str, int]]) -> Blocks:
        seen.append(judged(tallied, touched))
        return seen[-1]

    monkeypatch.setattr(blocks, "judged", watched)
    settled = reconciled(lake)
    monkeypatch.setattr(reading, "SOURCES", ())
    by_row = reconciled(replace(lake, run_id="by-row"))

    same = seen[0].same.groupby("instrument")["block"].apply(list).to_dict()
    assert same["SAME"] == [0, 8, 16, 24, 32]
    assert same["PRICE"] == [0, 8, 24, 32]
    assert same["BEYOND"] == same["SAME"]
    assert same["ANEW"] == same["PRICE"]
    assert "RELISTED" not in same
    names = [*SCENARIOS, "ANEW", "BEYOND", "RELISTED"]
    assert sorted(row["instrument"] for row in by_row[0]) == sorted(names)
    for ours, theirs in zip(settled[0], by_row[0], strict=True):
        assert ours == theirs
    assert settled[1] == by_row[1]


def reconciled(context: Context) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the certificates of REST against the archive, and the evidence, in order."""
    before = len(held(context, OPS_RECONCILIATION_DIFFERENCES))
    selection = Selection((Segment("binance", "spot", ("*",)),), *WINDOW, ("agg_trades",), "rest")
    plan = checks.Plan("archive", WINDOW, "", "never")
    (outcome,) = checks.run(context, plan, selection)
    rows = held(context, OPS_RECONCILIATION_DIFFERENCES)
    assert len(rows) > before
    newest = max(row["detected_at"] for row in rows)
    evidence = [without(row) for row in rows if row["detected_at"] == newest]
    certificates = [without(row.asDict()) for row in outcome.rows]
    return (
        sorted(certificates, key=lambda row: str(row["instrument"])),
        sorted(evidence, key=str),
    )


def without(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in OWN}
