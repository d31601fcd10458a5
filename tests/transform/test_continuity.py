"""The ledger of continuity, and which ids it finds missing."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T  # noqa: N812

from lake import schemas
from tests.transform.frames import LONG_AGO, at, frame, records
from transform import continuity, missing

pytestmark = pytest.mark.spark

LEDGER = ("entry", "first_id", "last_id", "proved_from", "proved_until", "cause", "state")
REJECTED = T.StructType(
    [*schemas.IDENTITY, *[schemas.CONTINUITY[n] for n in ("first_id", "last_id", "cause")]]
)


def minute(number: int) -> Any:
    return LONG_AGO + timedelta(minutes=number)


def clock(number: int) -> str:
    return str(minute(number).isoformat()[:19])


def entry(kind: str, ids: tuple[int, int], times: tuple[int, int], **more: Any) -> dict[str, Any]:
    return {
        "dataset": "trades",
        "entry": kind,
        "first_id": ids[0],
        "last_id": ids[1],
        "proved_from": minute(times[0]),
        "proved_until": minute(times[1]),
        **more,
    }


def claim(ids: tuple[int, int], times: tuple[int, int], **more: Any) -> dict[str, Any]:
    row = entry("", ids, times, **more)
    del row["entry"]
    return row


def ledger(spark: SparkSession, rows: list[dict[str, Any]]) -> DataFrame:
    return frame(spark, schemas.CONTINUITY, rows)


def merged(
    spark: SparkSession,
    *claims: dict[str, Any],
    current: list[dict[str, Any]] | None = None,
    holes: list[dict[str, Any]] | None = None,
) -> DataFrame:
    return continuity.merge(
        ledger(spark, current or []),
        frame(spark, continuity.CLAIMS, claims),
        ledger(spark, holes or []),
    )


def test_files_whose_ids_adjoin_join_over_the_hull_of_their_times(spark: SparkSession) -> None:
    made = merged(
        spark, claim((11, 20), (30, 40)), claim((1, 10), (0, 10)), claim((15, 25), (33, 50))
    )

    assert records(made, *LEDGER) == [
        ("held", 1, 25, clock(0), clock(50), None, "proved"),
    ]
    assert records(made, "dataset", "first_trade_seq", "last_trade_seq") == [("trades", 1, 25)]


def test_what_lies_between_two_runs_was_not_loaded(spark: SparkSession) -> None:
    made = merged(spark, claim((1, 10), (0, 10)), current=[entry("held", (14, 20), (15, 20))])

    assert records(made, *LEDGER) == [
        ("held", 1, 10, clock(0), clock(10), None, "proved"),
        ("held", 14, 20, clock(15), clock(20), None, "proved"),
        ("hole", 11, 13, clock(10), clock(15), "not_loaded", "open"),
    ]


def test_runs_join_across_holes_that_the_exchange_proved(spark: SparkSession) -> None:
    known = {"cause": "exchange_hole", "state": "proved"}
    turned_away = {"cause": "quarantined", "state": "open"}

    made = merged(
        spark,
        claim((13, 20), (15, 20)),
        claim((31, 40), (30, 40)),
        current=[
            entry("held", (1, 10), (0, 10)),
            entry("hole", (11, 12), (10, 15), **known),
            entry("hole", (21, 30), (20, 30), **turned_away),
        ],
    )

    assert records(made, *LEDGER) == [
        ("held", 1, 20, clock(0), clock(20), None, "proved"),
        ("held", 31, 40, clock(30), clock(40), None, "proved"),
        ("hole", 11, 12, clock(10), clock(15), "exchange_hole", "proved"),
        ("hole", 21, 30, clock(20), clock(30), "not_loaded", "open"),
        ("hole", 21, 30, clock(20), clock(30), "quarantined", "open"),
    ]


def test_an_answer_of_nothing_stretches_the_runs_it_touches(spark: SparkSession) -> None:
    made = merged(
        spark,
        claim((1, 10), (10, 20)),
        claim((11, 10), (20, 30)),
        claim((0, -1), (30, 35)),
        claim((1, 0), (0, 10)),
        claim((0, -1), (50, 60)),
        current=[entry("held", (20, 30), (35, 45))],
    )

    assert records(made, *LEDGER) == [
        ("held", 1, 10, clock(0), clock(35), None, "proved"),
        ("held", 20, 30, clock(20), clock(45), None, "proved"),
        ("hole", 11, 19, clock(20), clock(35), "not_loaded", "open"),
        ("quiet", 0, -1, clock(50), clock(60), None, "proved"),
        ("quiet", 1, 0, clock(0), clock(10), None, "proved"),
        ("quiet", 11, 10, clock(20), clock(35), None, "proved"),
    ]


def test_asking_again_replaces_what_was_known_of_these_ids(spark: SparkSession) -> None:
    turned_away = {"cause": "quarantined", "state": "open"}
    gone = {"cause": "exchange_hole", "state": "proved"}

    made = merged(
        spark,
        claim((1, 6), (0, 6)),
        current=[
            entry("held", (1, 20), (0, 20)),
            entry("hole", (5, 8), (5, 9), **turned_away),
            entry("hole", (3, 3), (2, 4), **turned_away),
        ],
        holes=[entry("hole", (5, 5), (4, 6), **gone)],
    )

    assert records(made, *LEDGER) == [
        ("held", 1, 20, clock(0), clock(20), None, "proved"),
        ("hole", 5, 5, clock(4), clock(6), "exchange_hole", "proved"),
        ("hole", 7, 8, clock(5), clock(9), "quarantined", "open"),
    ]


def test_datasets_and_instruments_have_ledgers_of_their_own(spark: SparkSession) -> None:
    other = {"instrument": "X", "instrument_uid": "X"}

    made = merged(
        spark,
        claim((1, 5), (0, 5)),
        claim((6, 9), (5, 9), dataset="agg_trades", first_trade_seq=60, last_trade_seq=99),
        claim((6, 9), (5, 9), **other),
    )

    columns = ("instrument", "dataset", "first_id", "first_trade_seq", "last_trade_seq")
    assert records(made, *columns) == [
        ("BTCUSDT", "agg_trades", 6, 60, 99),
        ("BTCUSDT", "trades", 1, 1, 5),
        ("X", "trades", 6, 6, 9),
    ]


def test_the_ledger_has_the_schema_of_its_table(spark: SparkSession) -> None:
    made = merged(spark).schema

    assert [(f.name, f.dataType) for f in made] == [
        (f.name, f.dataType) for f in schemas.CONTINUITY
    ]


# After every fifth id the market is quiet for ten minutes.
def time_of(identifier: int) -> int:
    return identifier + 10 * (identifier // 5)


FILES = st.tuples(st.integers(0, 30), st.integers(0, 4)).map(
    lambda drawn: claim(
        (drawn[0], drawn[0] + drawn[1]), (time_of(drawn[0]), time_of(drawn[0] + drawn[1]) + 1)
    )
)
SILENCES = st.tuples(st.integers(1, 6), st.integers(0, 9), st.integers(1, 9)).map(
    lambda drawn: claim(
        (5 * drawn[0], 5 * drawn[0] - 1),
        (
            time_of(5 * drawn[0] - 1) + 1 + drawn[1],
            min(time_of(5 * drawn[0] - 1) + 1 + drawn[1] + drawn[2], time_of(5 * drawn[0])),
        ),
    )
)
HISTORIES = st.lists(st.one_of(FILES, FILES, SILENCES), min_size=1, max_size=9)


def modelled(history: list[dict[str, Any]]) -> set[tuple[str, int, int, Any, Any]]:
    """The ledger of one instrument, id by id and minute by minute."""
    files = [row for row in history if row["first_id"] <= row["last_id"]]
    silent = set()
    for row in history:
        if row["first_id"] > row["last_id"]:
            silent |= set(range(number(row["proved_from"]), number(row["proved_until"])))
    held = {n for row in files for n in range(row["first_id"], row["last_id"] + 1)}
    ledger: set[tuple[str, int, int, Any, Any]] = set()
    for first in sorted(n for n in held if n - 1 not in held):
        last = first
        while last + 1 in held:
            last += 1
        own = [row for row in files if first <= row["first_id"] <= last]
        since = min(number(row["proved_from"]) for row in own)
        until = max(number(row["proved_until"]) for row in own)
        while since - 1 in silent:
            since -= 1
        while until in silent:
            until += 1
        ledger.add(("held", first, last, clock(since), clock(until)))
    runs = sorted(ledger, key=lambda row: row[1])
    for left, right in pairwise(runs):
        times = sorted((left[4], right[3]))
        ledger.add(("hole", left[2] + 1, right[1] - 1, *times))
    return ledger


def number(moment: Any) -> int:
    return int((moment - LONG_AGO).total_seconds() // 60)


@settings(
    max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    histories=st.lists(HISTORIES, min_size=30, max_size=30),
    mixed=st.randoms(use_true_random=False),
)
def test_any_order_of_files_gives_the_ledger_of_a_plain_model(
    spark: SparkSession, histories: list[list[dict[str, Any]]], mixed: Any
) -> None:
    named = [
        [row | {"instrument": f"I{n}", "instrument_uid": f"I{n}"} for row in history]
        for n, history in enumerate(histories)
    ]
    files = [row for history in named for row in history]
    shuffled = mixed.sample(files, len(files))
    third = len(files) // 3 + 1

    grown: list[Any] = []
    for part in (shuffled[:third], shuffled[third:], shuffled[:third]):
        grown = continuity.merge(
            spark.createDataFrame(grown, schemas.CONTINUITY),
            frame(spark, continuity.CLAIMS, part),
            ledger(spark, []),
        ).collect()

    made = spark.createDataFrame(grown, schemas.CONTINUITY)
    whole = merged(spark, *files)
    assert records(made, *made.columns) == records(whole, *made.columns)
    found: dict[str, set[Any]] = {f"I{n}": set() for n in range(len(named))}
    for row in records(made, "instrument", *LEDGER[:5]):
        if row[1] != "quiet":
            found[row[0]].add(row[1:])
    assert found == {f"I{n}": modelled(history) for n, history in enumerate(named)}


def agg(identifier: int, first: int, last: int, second: int | None = None) -> dict[str, Any]:
    return {
        "agg_id": identifier,
        "first_trade_seq": first,
        "last_trade_seq": last,
        "trade_timestamp": LONG_AGO + timedelta(seconds=second or identifier),
    }


def trade(identifier: int) -> dict[str, Any]:
    return {
        "trade_seq": identifier,
        "trade_id": str(identifier),
        "trade_timestamp": LONG_AGO + timedelta(seconds=identifier),
    }


def found(
    spark: SparkSession,
    rows: list[dict[str, Any]],
    claims: list[dict[str, Any]],
    rejected: list[dict[str, Any]] | None = None,
    dataset: str = "trades",
) -> DataFrame:
    schema = schemas.TRADES if dataset == "trades" else schemas.AGG_TRADES
    return missing.missing(
        frame(spark, schema, rows),
        frame(spark, continuity.CLAIMS, [row | {"dataset": dataset} for row in claims]),
        frame(spark, REJECTED, rejected or []),
        dataset,
    )


HOLE = ("first_id", "last_id", "first_trade_seq", "last_trade_seq", "cause", "state")


def test_ids_that_were_asked_for_and_are_not_held_are_missing(spark: SparkSession) -> None:
    ids = [*range(3, 7), *range(9, 5000), *range(5002, 8300)]

    made = found(
        spark, [trade(n) for n in ids], [claim((1, 5000), (0, 90)), claim((5001, 8302), (90, 200))]
    )

    assert records(made, "first_id", "last_id", "proved_from", "proved_until", "cause") == [
        (1, 2, "2024-01-01T00:00:00", "2024-01-01T00:00:03", "left_out"),
        (5000, 5001, "2024-01-01T01:23:19", "2024-01-01T01:23:22", "left_out"),
        (7, 8, "2024-01-01T00:00:06", "2024-01-01T00:00:09", "left_out"),
        (8300, 8302, "2024-01-01T02:18:19", "2024-01-01T03:20:00", "left_out"),
    ]
    assert records(made, "entry", "dataset", "state")[0] == ("hole", "trades", "open")


def test_ids_that_nobody_asked_for_are_not_missing(spark: SparkSession) -> None:
    made = found(spark, [trade(1), trade(9)], [claim((1, 3), (0, 1)), claim((8, 9), (1, 2))])

    assert records(made, "first_id", "last_id") == [(2, 3), (8, 8)]


def test_a_claim_of_which_nothing_is_held_is_missing_whole(spark: SparkSession) -> None:
    made = found(spark, [], [claim((1, 3), (0, 7)), claim((4, 3), (7, 9))])

    assert records(made, "first_id", "last_id", "proved_from", "proved_until", "cause") == [
        (1, 3, clock(0), clock(7), "exchange_hole")
    ]


def test_ids_that_an_answer_left_out_are_proved_by_asking_for_just_them(
    spark: SparkSession,
) -> None:
    rows = [trade(n) for n in (1, 2, 6, 9)]
    claims = [claim((1, 9), (0, 1)), claim((4, 5), (3, 3)), claim((7, 8), (6, 7))]

    made = found(spark, rows, claims, [{"first_id": 8, "last_id": 8, "cause": "quarantined"}])

    assert records(made, "first_id", "last_id", "cause", "state") == [
        (3, 3, "left_out", "open"),
        (4, 5, "exchange_hole", "proved"),
        (7, 7, "exchange_hole", "proved"),
        (8, 8, "quarantined", "open"),
    ]


def test_futures_take_ids_that_no_answer_holds(spark: SparkSession) -> None:
    futures = {"kind": "usdm"}
    rows = [agg(1, 10, 12), agg(2, 15, 15), agg(4, 17, 17)]

    of_trades = found(
        spark, [trade(1) | futures, trade(3) | futures], [claim((1, 3), (0, 1)) | futures]
    )
    of_aggregates = found(
        spark,
        [row | futures for row in rows],
        [claim((1, 4), (0, 1)) | futures],
        dataset="agg_trades",
    )

    assert records(of_trades, *HOLE) == [(2, 2, 2, 2, "off_book", "assumed")]
    assert records(of_aggregates, *HOLE) == [
        (2, 1, 13, 14, "off_book", "proved"),
        (3, 3, 16, 16, "left_out", "open"),
    ]


def test_what_was_proved_by_asking_stands_against_a_larger_answer(spark: SparkSession) -> None:
    proved = {"cause": "exchange_hole", "state": "proved"}
    left_out = {"cause": "left_out", "state": "open"}
    assumed = {"cause": "off_book", "state": "assumed"}

    made = merged(
        spark,
        claim((1, 20), (0, 20)),
        current=[
            entry("held", (5, 6), (4, 7)),
            entry("hole", (5, 6), (4, 7), **proved),
            entry("hole", (9, 9), (8, 10), **proved),
        ],
        holes=[
            entry("hole", (4, 7), (3, 8), **left_out),
            entry("hole", (9, 10), (8, 11), **assumed),
        ],
    )

    assert records(made, *LEDGER) == [
        ("held", 1, 20, clock(0), clock(20), None, "proved"),
        ("hole", 10, 10, clock(8), clock(11), "off_book", "assumed"),
        ("hole", 4, 4, clock(3), clock(8), "left_out", "open"),
        ("hole", 5, 6, clock(4), clock(7), "exchange_hole", "proved"),
        ("hole", 7, 7, clock(3), clock(8), "left_out", "open"),
        ("hole", 9, 9, clock(8), clock(10), "exchange_hole", "proved"),
    ]


def test_a_row_turned_away_is_no_hole_of_the_exchange(spark: SparkSession) -> None:
    rejected = [
        {"first_id": 3, "last_id": 3, "cause": "quarantined"},
        {"first_id": 4, "last_id": 4, "cause": "invalidated_by_the_exchange"},
        {"first_id": 1, "last_id": 1, "cause": "quarantined"},
    ]

    made = found(spark, [trade(1), trade(2), trade(7)], [claim((1, 7), (0, 1))], rejected)

    assert records(made, "first_id", "last_id", "cause", "state") == [
        (3, 3, "quarantined", "open"),
        (4, 4, "invalidated_by_the_exchange", "proved"),
        (5, 6, "left_out", "open"),
    ]


def test_a_jump_of_trade_numbers_between_aggregates_is_a_hole(spark: SparkSession) -> None:
    rows = [agg(1, 10, 12), agg(2, 15, 15), agg(3, 16, 20), agg(6, 25, 26), agg(7, 27, 30)]

    made = found(spark, rows, [claim((1, 7), (0, 1))], dataset="agg_trades")

    assert records(made, *HOLE) == [
        (2, 1, 13, 14, "exchange_hole", "proved"),
        (4, 5, 21, 24, "left_out", "open"),
    ]


def test_ids_and_trade_numbers_must_both_be_whole(spark: SparkSession) -> None:
    jump = [agg(1, 10, 12), agg(2, 15, 15)]
    withdrawn = [
        row | {"instrument": "X", "instrument_uid": "X"} for row in (agg(1, 5, 5), agg(3, 6, 6))
    ]
    claims = [claim((1, 3), (0, 1), instrument="X", instrument_uid="X"), claim((1, 2), (0, 1))]

    made = found(spark, [*jump, *withdrawn], claims, dataset="agg_trades")

    assert records(made, "instrument", *HOLE) == [
        ("BTCUSDT", 2, 1, 13, 14, "exchange_hole", "proved"),
        ("X", 2, 2, 6, 5, "exchange_hole", "proved"),
    ]


def test_a_whole_block_and_its_neighbour_hide_no_jump(spark: SparkSession) -> None:
    # 4096 is the first id of the second block
    rows = [agg(n, n, n) for n in range(4096)] + [agg(n, n + 5, n + 5) for n in range(4096, 4100)]

    made = found(spark, rows, [claim((0, 4099), (0, 1))], dataset="agg_trades")

    assert records(made, *HOLE) == [(4096, 4095, 4096, 4100, "exchange_hole", "proved")]


def test_a_jump_is_kept_until_its_row_is_asked_for_again(spark: SparkSession) -> None:
    jump = {"cause": "exchange_hole", "first_trade_seq": 3, "last_trade_seq": 4}
    known = [entry("held", (1, 9), (0, 9)), entry("hole", (5, 4), (4, 5), **jump)]

    kept = merged(spark, claim((6, 12), (6, 12)), current=known)
    asked_again = merged(spark, claim((5, 12), (5, 12)), current=known)

    assert ("hole", 5, 4, clock(4), clock(5), "exchange_hole", "proved") in records(kept, *LEDGER)
    assert records(asked_again, "entry", "first_id", "last_id") == [("held", 1, 12)]


def test_moments_are_what_the_frames_say() -> None:
    assert minute(1) == at("00:01:00")
