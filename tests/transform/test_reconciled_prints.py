"""Two sources of the same trades side by side: each cause is seeded, found, and told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T  # noqa: N812

from jobs.reconciliation.sides import REJECTED
from lake import schemas, schemas_of_incidents
from lake.frames import local_frame
from tests.transform.frames import at, frame
from transform.reconciliation import attribution, prints
from transform.reconciliation.evidence import CLAIMS, Evidence
from transform.reconciliation.subjects import SUBJECTS

pytestmark = pytest.mark.spark

WINDOW = (at("00:05:00"), at("00:10:00"))
Rows = Sequence[Mapping[str, Any]]
Sources = tuple[attribution.Source, attribution.Source]


def trade(identifier: int, **changes: Any) -> dict[str, Any]:
    """Return a trade; its id tells its second, counted from the window's start."""
    moment = WINDOW[0] + timedelta(seconds=identifier)
    return {
        "trade_seq": identifier,
        "trade_id": str(identifier),
        "price": f"100.{abs(identifier):04}",
        "quantity": "2",
        "quote_quantity": "200",
        "contract_size": "1",
        "trade_timestamp": moment,
        "knowledge_timestamp": moment + timedelta(seconds=1),
        "bronze_file": "bronze/some",
        "bronze_line": 1,
        **changes,
    }


def bar(minute: int, **changes: Any) -> dict[str, Any]:
    """Return a bar of the minutes after five past midnight, as published half a minute later."""
    start = WINDOW[0] + timedelta(minutes=minute)
    known = start + timedelta(seconds=90)
    return {
        "bar_interval": "1m",
        "open_time": start,
        "close_time": start + timedelta(milliseconds=59_999),
        "open": "10",
        "high": "12",
        "low": "9",
        "close": "11",
        "volume_sent": "5",
        "quote_volume_sent": "55",
        "trade_count": 7,
        "taker_buy_volume_sent": "2",
        "taker_buy_quote_volume_sent": "22",
        "end_download_timestamp": known,
        "knowledge_timestamp": known,
        **changes,
    }


def claim(**changes: Any) -> dict[str, Any]:
    return {
        "side": "left",
        "exchange": "binance",
        "kind": "spot",
        "first_id": 0,
        "last_id": 299,
        "from_timestamp": WINDOW[0],
        "until_timestamp": WINDOW[1],
        "is_refill": False,
        "bronze_file": "bronze/claim",
        **changes,
    }


class Scenario(NamedTuple):
    """What two sides say of one instrument, and what is known beside them."""

    left: Rows
    right: Rows
    claims: Rows = ()
    rejected: Rows = ()
    incidents: Rows = ()


class Found(NamedTuple):
    """What came of each scenario: its differences in order, and its certificate."""

    differences: dict[str, list[dict[str, Any]]]
    totals: dict[str, dict[str, Any]]

    def of(self, scenario: str, *columns: str) -> list[tuple[Any, ...]]:
        return [tuple(row[name] for name in columns) for row in self.differences[scenario]]

    def causes(self, scenario: str) -> list[tuple[Any, ...]]:
        return self.of(scenario, "first_id", "last_id", "cause", "is_explained", "evidence")


def compared(
    spark: SparkSession, dataset: str, sides: Sources, scenarios: Mapping[str, Scenario]
) -> Found:
    """Compare all scenarios at once, each as an instrument of its own."""
    schema = {"trades": schemas.TRADES, "klines": schemas.KLINES}[dataset]

    def named(part: str) -> list[dict[str, Any]]:
        return [
            {**dict.fromkeys(("instrument", "instrument_uid"), name), **row}
            for name, scenario in scenarios.items()
            for row in getattr(scenario, part)
        ]

    incidents = [_only(row, schemas_of_incidents.INCIDENTS) for row in named("incidents")]
    made = prints.compare(
        frame(spark, schema, named("left")),
        frame(spark, schema, named("right")),
        SUBJECTS[dataset],
        attribution.Frame(*sides, WINDOW, timedelta(seconds=2)),
        Evidence(
            _local(spark, named("claims"), CLAIMS),
            _local(spark, named("rejected"), REJECTED),
            frame(spark, schemas_of_incidents.INCIDENTS, incidents),
        ),
        keep=DataFrame.persist,
    )
    differences: dict[str, list[dict[str, Any]]] = {name: [] for name in scenarios}
    for row in made.differences.orderBy("instrument", "first_id", "field").collect():
        differences[row["instrument"]].append(row.asDict())
    totals = {row["instrument"]: row.asDict() for row in made.totals.collect()}
    return Found(differences, totals)


def _only(row: Mapping[str, Any], schema: T.StructType) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name in schema.fieldNames()}


def _local(spark: SparkSession, rows: Rows, schema: T.StructType) -> DataFrame:
    return local_frame(spark, [[row.get(name) for name in schema.names] for row in rows], schema)


ALL = [trade(n) for n in range(9)]
CHANGED = {
    "price": "1",
    "quantity": "3",
    "quote_quantity": "1",
    "taker_side": "sell",
    "print_kind": "unknown",
    "trade_id": "x",
    "quantity_unit": "USD",
    "block_trade_id": "b",
}
EDGES = [trade(n) for n in (0, 1, 2, 3, 290, 297, 298, 299)]
OF_REJECTED = {
    "side": "right",
    "exchange": "binance",
    "kind": "spot",
    "bronze_file": "f",
    "bronze_line": 7,
}
REFILL = claim(side="right", first_id=2, last_id=3, is_refill=True, bronze_file="bronze/fill")
STREAMED = {
    "equal": Scenario(
        [*ALL, *[trade(n, knowledge_timestamp=at("23:00:00")) for n in range(3)]],
        list(reversed(ALL)),
    ),
    "window": Scenario(
        [trade(-1), trade(0), trade(299), trade(300)],
        [trade(0), trade(299, trade_timestamp=WINDOW[1]), trade(301)],
    ),
    **{
        f"field {name}": Scenario(ALL, [*ALL[:1], trade(1, **{name: value}), *ALL[2:]])
        for name, value in CHANGED.items()
    },
    "disconnect": Scenario([*ALL[:2], *ALL[4:6], *ALL[7:]], ALL, [REFILL]),
    "exchange hole": Scenario(ALL[:4], [*ALL[:2], ALL[3]], [REFILL]),
    "rejected": Scenario(
        ALL[:5],
        [ALL[0], ALL[4]],
        rejected=[
            {
                **OF_REJECTED,
                "id": 1,
                "reasons": ["invalidated_by_the_exchange"],
                "bronze_file": "f",
            },
            {**OF_REJECTED, "id": 2, "reasons": ["price_not_positive"], "bronze_file": "f"},
            {**OF_REJECTED, "side": "left", "id": 3, "reasons": ["x"], "bronze_file": "f"},
        ],
    ),
    "off book": Scenario(
        [ALL[0], trade(1, print_kind="insurance_fund"), trade(2, print_kind="adl"), ALL[3]],
        [ALL[0], ALL[3]],
    ),
    "incident": Scenario(
        [ALL[0], ALL[5]],
        ALL[:6],
        incidents=[
            {
                "incident_id": "down-1",
                "cause": "our_outage",
                "started_at": at("00:05:02"),
                "ended_at": at("00:05:04"),
                "state": "closed",
            }
        ],
    ),
    "edges": Scenario([trade(3), trade(290)], EDGES),
    "no edge": Scenario([trade(-1), trade(3), trade(290)], EDGES[:5]),
    "nothing": Scenario([], [trade(100), trade(101)]),
    "unit": Scenario(
        [trade(n, contract_size="10") for n in range(5)],
        [
            trade(0, contract_size="10", quantity="20"),
            trade(1, contract_size="10", quantity="2000", quantity_unit="coin"),
            trade(2, contract_size="10", quantity="21"),
            trade(3, contract_size="10", quantity="20", price="7"),
            trade(4, contract_size="10"),
        ],
    ),
}
OLD = {"knowledge_timestamp": at("01:00:00"), "bronze_file": "bronze/old"}
NEW = {"knowledge_timestamp": at("02:00:00"), "bronze_file": "bronze/new"}
ARCHIVED = {
    "covered": Scenario(
        ALL[:4], [*ALL[:2], ALL[3]], [claim(side="right", bronze_file="bronze/zip")]
    ),
    "uncovered": Scenario(
        ALL[:4], [*ALL[:2], ALL[3]], [claim(side="right", until_timestamp=at("00:05:01"))]
    ),
    "republished": Scenario(
        [trade(0), trade(1), trade(2, price="9")],
        [
            *[trade(n, **OLD) for n in range(3)],
            trade(0, **NEW),
            trade(1, price="7", **NEW),
            trade(2, price="8", **NEW),
        ],
    ),
}
BARS = {
    "bars": Scenario(
        [bar(0), bar(1, volume_sent="4", end_download_timestamp=at("00:07:01")), bar(4)],
        [bar(0), bar(1), bar(2), bar(3), bar(4, close="9")],
        [
            claim(
                side="right",
                is_refill=True,
                from_timestamp=at("00:07:59"),
                until_timestamp=at("00:08:01"),
            )
        ],
    )
}


@pytest.fixture(scope="module")
def streamed(spark: SparkSession) -> Found:
    return compared(spark, "trades", ("live", "rest"), STREAMED)


@pytest.fixture(scope="module")
def archived(spark: SparkSession) -> Found:
    return compared(spark, "trades", ("rest", "archive"), ARCHIVED)


def test_equal_sides_are_matched_whatever_their_order_and_how_often_a_row_came(
    streamed: Found,
) -> None:
    told = streamed.totals["equal"]

    assert streamed.causes("equal") == []
    assert (told["left_rows"], told["right_rows"], told["matched"]) == (9, 9, 9)
    assert (told["different"], told["unexplained"], told["causes"]) == (0, 0, {})
    assert told["findings"] == {"left_repeats": 3}
    # neither side has the quote quantity and the orders' ids
    assert (told["compared"], told["equal"], told["not_derivable"]) == (9 * 17, 9 * 17, 9 * 3)


def test_equal_sides_have_one_checksum_and_others_have_two(streamed: Found) -> None:
    hashes = {
        name: (told["left_hash"], told["right_hash"]) for name, told in streamed.totals.items()
    }

    assert hashes["equal"][0] == hashes["equal"][1] != "0" * 32
    assert hashes["field price"][0] != hashes["field price"][1]
    assert hashes["nothing"][0] == "0" * 32


def test_only_what_lies_in_the_window_on_either_side_is_compared(streamed: Found) -> None:
    told = streamed.totals["window"]

    assert streamed.of("window", "first_id", "field", "left_value", "right_value") == [
        (299, "millisecond", "1704067799000", "1704067800000")
    ]
    assert (told["left_rows"], told["right_rows"], told["matched"]) == (2, 2, 1)


@pytest.mark.parametrize("name", CHANGED)
def test_each_field_is_compared(streamed: Found, name: str) -> None:
    told = streamed.totals[f"field {name}"]

    assert streamed.of(f"field {name}", "first_id", "field") == [(1, name)]
    assert (told["matched"], told["different"]) == (8, 1)


def test_a_lost_connection_is_proved_by_the_file_that_filled_the_hole(streamed: Found) -> None:
    told = streamed.totals["disconnect"]

    assert streamed.causes("disconnect") == [
        (2, 3, "disconnect", True, "asked for by its id: bronze/fill"),
        (6, 6, "unexplained", False, None),
    ]
    assert told["causes"] == {"disconnect": 2, "unexplained": 1}
    assert (told["matched"], told["only_right"], told["unexplained"]) == (6, 3, 1)


def test_what_the_exchange_has_not_even_when_asked_is_its_own_hole(streamed: Found) -> None:
    assert streamed.of("exchange hole", "first_id", "cause") == [(2, "exchange_hole")]


def test_the_archive_lacks_a_row_of_a_day_that_it_covers(archived: Found) -> None:
    assert archived.causes("covered") == [(2, 2, "archive_hole", True, "covered by bronze/zip")]
    assert archived.causes("uncovered") == [(2, 2, "unexplained", False, None)]


def test_rows_that_came_and_were_turned_away_are_named_with_their_reason(streamed: Found) -> None:
    assert streamed.causes("rejected") == [
        (1, 1, "invalidated_by_the_exchange", True, "invalidated_by_the_exchange in f:7"),
        (2, 2, "quarantined", True, "price_not_positive in f:7"),
        (3, 3, "unexplained", False, None),
    ]


def test_prints_beside_the_book_stand_on_the_stream_alone(streamed: Found) -> None:
    assert streamed.causes("off book") == [(1, 2, "off_book", True, None)]


def test_an_incident_explains_what_is_missing_while_it_lasted(streamed: Found) -> None:
    assert streamed.of("incident", "first_id", "last_id", "cause", "incident_id") == [
        (1, 1, "unexplained", None),
        (2, 3, "our_outage", "down-1"),
        (4, 4, "unexplained", None),
    ]


def test_a_side_may_begin_late_and_end_early_but_only_at_the_edge(streamed: Found) -> None:
    assert streamed.of("edges", "first_id", "last_id", "cause", "is_explained") == [
        (0, 1, "edge_of_window", True),
        (2, 2, "unexplained", False),
        (297, 297, "unexplained", False),
        (298, 299, "edge_of_window", True),
    ]
    assert streamed.of("no edge", "first_id", "last_id", "cause") == [(0, 2, "unexplained")]


def test_a_side_that_holds_nothing_of_an_instrument_is_said_to(streamed: Found) -> None:
    assert streamed.causes("nothing") == [(100, 101, "not_held", False, None)]


def test_another_unit_is_told_from_another_amount(streamed: Found) -> None:
    assert streamed.of("unit", "first_id", "field", "cause") == [
        (0, "quantity", "unit"),
        (1, "quantity", "unit"),
        (1, "quantity_unit", "unit"),
        (2, "quantity", "undetermined"),
        (3, "price", "undetermined"),
        (3, "quantity", "undetermined"),
    ]
    assert streamed.totals["unit"]["undetermined"] == 3


def test_a_file_published_anew_counts_and_explains_what_it_changed(archived: Found) -> None:
    columns = ("first_id", "left_value", "right_value", "cause", "evidence")
    assert archived.of("republished", *columns) == [
        (1, "100.0001000000", "7.0000000000", "republished", "said before in bronze/old"),
        (2, "9.0000000000", "8.0000000000", "undetermined", None),
    ]


def test_bars_differ_where_one_was_fetched_too_early_or_the_connection_was_lost(
    spark: SparkSession,
) -> None:
    found = compared(spark, "klines", ("live", "rest"), BARS)

    starts = [f"{row['from_timestamp']:%H:%M}" for row in found.differences["bars"]]
    assert list(zip(starts, found.of("bars", "field", "cause"), strict=True)) == [
        ("00:06", ("volume_sent", "bar_fetched_too_early")),
        ("00:07", ("row", "disconnect")),
        ("00:08", ("row", "unexplained")),
        ("00:09", ("close", "undetermined")),
    ]
    told = found.totals["bars"]
    assert (told["bar_interval"], told["matched"], told["compared"]) == ("1m", 1, 30)
