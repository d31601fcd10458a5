"""What rows must keep whatever the other side says: ids without a gap, time, sound bars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession

from lake import schemas
from tests.transform.frames import at, frame, records
from transform.reconciliation.pairs import one_each, paired
from transform.reconciliation.plausibility import implausible
from transform.reconciliation.subjects import SUBJECTS

pytestmark = pytest.mark.spark

START = at("00:05:00")
WINDOW = (START, at("00:10:00"))
SCHEMAS = {"trades": schemas.TRADES, "klines": schemas.KLINES}
Rows = Sequence[Mapping[str, Any]]
#: Left side, right side, and what the ledger says.
Scenario = tuple[Rows, Rows, Rows]
HELD = (1, 2, 6)


def trades(ids: Iterable[int], **seconds: int) -> Rows:
    """Return trades, each in the second that its id or `seconds` names."""
    return [
        {
            "trade_seq": one,
            "trade_timestamp": START + timedelta(seconds=seconds.get(f"t{one}", one)),
        }
        for one in ids
    ]


def hole(first_id: int, last_id: int, **changes: Any) -> Mapping[str, Any]:
    named = {"entry": "hole", "cause": "exchange_hole", "dataset": "trades"}
    return {**named, "first_id": first_id, "last_id": last_id, **changes}


def bar(**changes: Any) -> Mapping[str, Any]:
    prices = {"open": "10", "high": "12", "low": "9", "close": "11"}
    told = {"bar_interval": "1m", "volume_sent": "5", "trade_count": 7}
    return {**prices, **told, "open_time": START, "close_time": START, **changes}


def found(
    spark: SparkSession, dataset: str, scenarios: Mapping[str, Scenario], *columns: str
) -> list[tuple[Any, ...]]:
    """Look at all scenarios at once, each as an instrument of its own."""

    def named(part: int) -> list[dict[str, Any]]:
        return [
            {**dict.fromkeys(("instrument", "instrument_uid"), name), **row}
            for name, scenario in scenarios.items()
            for row in scenario[part]
        ]

    subject = SUBJECTS[dataset]
    left, right = (
        one_each(frame(spark, SCHEMAS[dataset], named(part)), subject, newest=False)
        for part in (0, 1)
    )
    pairs = paired(left, right, subject, WINDOW).where("is_inside")
    ledger = frame(spark, schemas.CONTINUITY, named(2))
    return records(implausible(pairs, ledger, subject), "instrument", *columns)


PRINTS: Mapping[str, Scenario] = {
    "sound": (trades(range(1, 7)), trades(range(1, 7)), []),
    "other side": (trades((1, 2, 4)), trades((1, 3, 4)), []),
    "gap": (trades(HELD), trades(HELD), []),
    "proved": (trades(HELD), trades((1, 6)), [hole(3, 3), hole(2, 5)]),
    "open": (trades(HELD), trades(HELD), [hole(3, 5, state="open")]),
    "half": (trades(HELD), trades(HELD), [hole(3, 4)]),
    "held": (trades(HELD), trades(HELD), [hole(3, 5, entry="held")]),
    "backwards": (trades((1, 2, 3), t2=9), trades((1, 2, 3, 4), t2=9), []),
    "one time": (trades((1, 2, 3), t2=3), trades((1, 2, 3), t2=3), []),
    "elsewhere": (trades(HELD), trades(HELD), [hole(3, 5, instrument_uid="another")]),
}


def test_ids_that_nobody_has_are_a_gap_and_time_does_not_run_backwards(
    spark: SparkSession,
) -> None:
    columns = ("field", "first_id", "last_id", "rows", "cause", "is_explained")
    gap = ("gap", 3, 5, 3)

    assert found(spark, "trades", PRINTS, *columns, "from_timestamp", "until_timestamp") == [
        (
            *("backwards", "time_backwards", 3, 3, 1, "published_odd", True),
            *("2024-01-01T00:05:03", "2024-01-01T00:05:03"),
        ),
        *[
            (name, *gap, *said, "2024-01-01T00:05:02", "2024-01-01T00:05:06")
            for name, *said in (
                ("elsewhere", "unexplained", False),
                ("gap", "unexplained", False),
                ("half", "unexplained", False),
                ("held", "unexplained", False),
                ("open", "unexplained", False),
                ("proved", "exchange_hole", True),
            )
        ],
    ]


BROKEN = {
    "low above open": bar(open="9.5", low="9.6"),
    "low above close": bar(close="9.5", low="9.6"),
    "high below open": bar(open="11.5", high="11.2"),
    "high below close": bar(close="13"),
    "volume of no trade": bar(trade_count=0),
    "trades of no volume": bar(volume_sent="0"),
}
BARS: Mapping[str, Scenario] = {
    "sound": ([bar()], [bar()], []),
    "alone": ([bar()], [], []),
    "quiet": ([bar(volume_sent="0", trade_count=0)], [bar(volume_sent="0", trade_count=0)], []),
    # Deribit counts no trades
    "uncounted": ([bar(trade_count=None)], [bar(trade_count=None, volume_sent="0")], []),
    "flat": ([bar(high="10", low="10", close="10")], [], []),
    "uncounted and low": ([bar(trade_count=None, low="20")], [], []),
    **{f"left {name}": ([one], [bar()], []) for name, one in BROKEN.items()},
    **{f"right {name}": ([], [one], []) for name, one in BROKEN.items()},
}


def test_a_bar_that_contradicts_itself_is_named_on_whichever_side_it_stands(
    spark: SparkSession,
) -> None:
    told = found(spark, "klines", BARS, "field", "rows", "cause", "is_explained", "bar_interval")

    named = [f"{side} {name}" for side in ("left", "right") for name in BROKEN]
    assert told == [
        (name, "ohlc_illogical", 1, "published_odd", True, "1m")
        for name in sorted([*named, "uncounted and low"], key=repr)
    ]
