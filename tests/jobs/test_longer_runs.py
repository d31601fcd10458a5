"""Runs that only grow: what is told without Spark is what the whole merge comes to."""

from __future__ import annotations

from datetime import UTC, timedelta
from random import Random
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.longer_runs import Run, lengthened
from lake import schemas
from tests.transform.frames import LONG_AGO, frame
from transform import continuity

pytestmark = pytest.mark.spark


def claim(name: str, first: int, last: int, dataset: str = "trades") -> dict[str, Any]:
    of_aggregates = {"first_trade_seq": 3 * first, "last_trade_seq": 3 * last + 2}
    return {
        "instrument": name,
        "instrument_uid": name,
        "dataset": dataset,
        "first_id": first,
        "last_id": last,
        "proved_from": LONG_AGO + timedelta(seconds=first),
        "proved_until": LONG_AGO + timedelta(seconds=last + 1),
        **(of_aggregates if dataset == "agg_trades" else {}),
    }


def history(name: str, chance: Random) -> list[dict[str, Any]]:
    """Return files one behind the other, now and then with a gap, an overlap or a silence."""
    files, reach = [], chance.randrange(100)
    dataset = chance.choice(("trades", "agg_trades"))
    for _ in range(chance.randrange(1, 5)):
        first = reach + chance.choice((0, 0, 0, 0, 0, 0, 4, -2))
        last = first + chance.choice((-1, 0, 3, 5, 9, 9, 9, 9))
        files.append(claim(name, first, last, dataset))
        reach = max(reach, last + 1)
    return files


def records(rows: list[Any]) -> list[Run]:
    times = ("proved_from", "proved_until")
    return [
        {**row.asDict(), **{name: row[name].replace(tzinfo=UTC) for name in times}} for row in rows
    ]


def test_it_is_what_the_merge_comes_to_or_nothing(spark: SparkSession) -> None:
    chance = Random(7)  # noqa: S311 - the same tapes at each run
    files = {f"I{n}": history(f"I{n}", chance) for n in range(120)}
    cuts = {name: chance.randrange(len(them) + 1) for name, them in files.items()}
    before = [one for name, them in files.items() for one in them[: cuts[name]]]
    after = [one for name, them in files.items() for one in them[cuts[name] :]]
    nothing = frame(spark, schemas.CONTINUITY, [])
    current = continuity.merge(nothing, frame(spark, continuity.CLAIMS, before), nothing).collect()
    known = spark.createDataFrame(current, schemas.CONTINUITY)
    whole = continuity.merge(known, frame(spark, continuity.CLAIMS, after), nothing).collect()

    told = silent = 0
    for name in files:
        was, due = (
            records([r for r in rows if r["instrument"] == name]) for rows in (current, whole)
        )
        new = [whole_row(one) for one in after if one["instrument"] == name]
        runs = lengthened(new, was)
        if runs is None:
            silent += 1
            continue
        told += len(runs)
        changed = {run["first_id"] for run in runs}
        kept = [row for row in was if row["entry"] != "held" or row["first_id"] not in changed]
        assert by_place([*kept, *runs]) == by_place(due)

    assert told > 30
    assert silent > 30


def whole_row(one: dict[str, Any]) -> Run:
    """Return a claim with every column of its frame."""
    identity = {"exchange": "binance", "kind": "spot"}
    return {name: one.get(name, identity.get(name)) for name in continuity.CLAIMS.fieldNames()}


def by_place(rows: list[Run]) -> list[Run]:
    return sorted(rows, key=lambda row: (row["entry"], row["first_id"], row["last_id"]))
