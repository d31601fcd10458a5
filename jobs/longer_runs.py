"""The ledger where files only lengthen what is held: the common case, told without Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lake.schemas import CONTINUITY

NAMES = CONTINUITY.fieldNames()
KEY = ("exchange", "kind", "instrument", "instrument_uid", "dataset")
#: A row of `lake.schemas.CONTINUITY` by its names.
Run = dict[str, Any]
Row = Mapping[str, Any]


def place(run: Row) -> tuple[Any, ...]:
    """Return what no two runs of the ledger share: the instrument and the first id."""
    return (*_key(run), run["first_id"])


def lengthened(claims: Sequence[Row], current: Sequence[Row]) -> list[Run] | None:
    """Return the runs of the ledger that change, None where only the whole merge can tell.

    It is the same that `transform.continuity.merge` comes to, for claims without a missing row
    that adjoin the newest run of their instrument, or one another where nothing is held yet.

    Args:
        claims: what files claim, as rows of `continuity.CLAIMS`; nothing of it is missing.
        current: the rows of `lake.schemas.CONTINUITY` of these instruments, all entries.

    Returns:
        One row an instrument; its `place` is that of the run before.
    """
    runs: dict[tuple[Any, ...], Run] = {}
    known = _by_instrument(current)
    for claim in sorted(claims, key=place):
        key = _key(claim)
        newest = runs.get(key) or _newest(known.get(key, []))
        if newest is None or claim["first_id"] > claim["last_id"]:
            return None
        run = _longer(newest, claim) if newest else _first(claim)
        if run is None:
            return None
        runs[key] = run
    return list(runs.values())


def _longer(run: Run, claim: Row) -> Run | None:
    """Return the run with a claim behind it, None where that would do more than lengthen it."""
    if claim["first_id"] != run["last_id"] + 1 or claim["proved_from"] < run["proved_from"]:
        return None
    of_trades = claim["dataset"] == "trades"
    last_trade = claim["last_id"] if of_trades else claim["last_trade_seq"]
    return {
        **run,
        "last_id": claim["last_id"],
        "last_trade_seq": _greatest(run["last_trade_seq"], last_trade),
        "proved_until": max(run["proved_until"], claim["proved_until"]),
    }


def _newest(rows: Sequence[Row]) -> Run | None:
    """Return the newest run, an empty one where nothing is known, None where more than runs is."""
    held = [row for row in rows if row["entry"] == "held"]
    if not held:
        return None if rows else {}
    last = max(held, key=lambda row: int(row["last_id"]))
    others = [row for row in rows if row["entry"] != "held"]
    if any(row["entry"] == "quiet" or _reach(row) > last["last_id"] for row in others):
        return None
    return {name: last[name] for name in NAMES}


def _first(claim: Row) -> Run:
    of_trades = claim["dataset"] == "trades"
    seqs = (
        (claim["first_id"], claim["last_id"])
        if of_trades
        else (claim["first_trade_seq"], claim["last_trade_seq"])
    )
    return {
        **{name: claim[name] for name in NAMES if name in claim},
        "first_trade_seq": seqs[0],
        "last_trade_seq": seqs[1],
        "entry": "held",
        "cause": None,
        "state": "proved",
    }


def _by_instrument(rows: Sequence[Row]) -> dict[tuple[Any, ...], list[Row]]:
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(_key(row), []).append(row)
    return found


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in KEY)


def _reach(row: Row) -> int:
    return max(int(row["first_id"]), int(row["last_id"]))


def _greatest(left: int | None, right: int | None) -> int | None:
    known = [value for value in (left, right) if value is not None]
    return max(known) if known else None
