from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import batches as b
import pytest
from pyspark.sql import DataFrame, SparkSession

from expectations import bronze, gate, trades, validation
from expectations.rules import Expected, Suite
from lake import schemas
from lake.errors import GateError

pytestmark = [
    pytest.mark.spark,
    # pyspark leaves the socket of each collect to the garbage collector
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

ROOT = Path(__file__).resolve().parents[2]
LIMITS = SimpleNamespace(quarantine_share=0.02, quarantine_rows=20)


def check(
    frame: DataFrame, suite: Suite, *, rows: int, table: str = "silver.trades", **changes: Any
) -> gate.Outcome:
    given: dict[str, Any] = {
        "rejected_rows": 0,
        "limits": LIMITS,
        "run_id": "run-1",
        "batch_id": 4,
        "attempt": 1,
        "checked_at": b.CHECKED_AT,
    }
    return gate.check(frame, suite, table=table, rows=rows, **{**given, **changes})


def good(spark: SparkSession, rows: int = 2) -> DataFrame:
    return b.frame(spark, schemas.TRADES, *({**b.TRADE, "trade_seq": i} for i in range(rows)))


def result_of(outcome: gate.Outcome, expectation: str) -> dict[str, Any]:
    return next(each for each in outcome.results if each["expectation"] == expectation)


def test_a_good_batch_passes(spark: SparkSession) -> None:
    outcome = check(good(spark), trades.suite(reduced=True), rows=2)

    outcome.require()
    assert outcome.passed
    assert [each["success"] for each in outcome.results] == [True] * 19


def test_a_broken_rule_stops_the_batch_with_exit_code_3_and_one_line(spark: SparkSession) -> None:
    batch = b.frame(spark, schemas.TRADES, b.TRADE, {**b.TRADE, "taker_side": "up"})
    outcome = check(batch, trades.suite(), rows=2)

    with pytest.raises(GateError) as stopped:
        outcome.require()

    assert stopped.value.exit_code == 3
    assert not outcome.passed
    assert str(stopped.value) == (
        "the gate of silver.trades stopped batch 4: taker_side_known failed with 1 of 2 rows where"
        ' 0 are allowed. See what was found: ./spark-submit.sh sql "select expectation, observed'
        ' from ops.gate_results where not success order by checked_at desc"; then fix the parser,'
        " and run again: the batch is still in bronze."
    )


def test_all_broken_rules_are_named_at_once(spark: SparkSession) -> None:
    batch = b.frame(spark, schemas.TRADES, b.TRADE, taker_side="up", source="guess")

    with pytest.raises(GateError, match=r"source_known failed with 1 .*; taker_side_known failed"):
        check(batch, trades.suite(), rows=1).require()


def test_a_failure_is_recorded_with_a_row_that_shows_it(spark: SparkSession) -> None:
    batch = b.frame(spark, schemas.TRADES, b.TRADE, {**b.TRADE, "trade_id": "8", "price": None})
    observed = result_of(check(batch, trades.suite(), rows=2), "required_columns_present")

    found = json.loads(observed["observed"])
    assert (found["rows"], found["allowed"]) == (1, 0)
    assert found["example"]["trade_id"] == "8"
    assert found["example"]["price"] is None
    assert found["example"]["quantity"] == "0.50000000"


def test_a_repeated_key_is_recorded_with_the_key(spark: SparkSession) -> None:
    batch = b.frame(spark, schemas.TRADES, b.TRADE, b.TRADE, b.TRADE)
    outcome = check(batch, trades.suite(reduced=True), rows=3)

    assert json.loads(result_of(outcome, "key_unique")["observed"]) == {
        "rows": 2,
        "allowed": 0,
        "example": {
            "exchange": "binance",
            "kind": "spot",
            "instrument_uid": "BTCUSDT",
            "trade_seq": 7,
            "beyond_first": 2,
        },
    }


def test_a_warning_is_recorded_and_stops_nothing(spark: SparkSession) -> None:
    batch = b.frame(spark, schemas.TRADES, b.TRADE, print_kind="unknown")
    outcome = check(batch, trades.suite(), rows=1)

    outcome.require()
    warned = result_of(outcome, "print_kind_decided")
    assert (warned["success"], warned["severity"]) == (False, "warning")


@pytest.mark.parametrize(
    ("rows", "allowed"), [(0, 20), (1000, 20), (1049, 20), (1050, 21), (1099, 21), (10**7, 200_000)]
)
def test_a_share_of_the_rows_may_be_rejected_and_a_few_always(rows: int, allowed: int) -> None:
    assert gate.allowed_rejects(rows, LIMITS) == allowed


def test_a_share_is_taken_to_the_last_digit() -> None:
    """0.29 x 100 is 28.999999999999996 in binary."""
    assert (
        gate.allowed_rejects(100, SimpleNamespace(quarantine_share=0.29, quarantine_rows=0)) == 29
    )


def test_too_many_rejected_rows_stop_the_batch_and_say_why(spark: SparkSession) -> None:
    outcome = check(
        good(spark, 2),
        trades.suite(),
        rows=23,
        rejected_rows=21,
        reasons={"price_not_a_number": 20, "instrument_missing": 1},
    )

    with pytest.raises(GateError) as stopped:
        outcome.require()

    assert str(stopped.value) == (
        "the gate of silver.trades stopped batch 4: rejected_rows_within_limit failed with 21 of 23"
        " rows where 20 are allowed (instrument_missing 1, price_not_a_number 20). See what was"
        ' found: ./spark-submit.sh sql "select expectation, observed from ops.gate_results where'
        ' not success order by checked_at desc"; then fix the parser, or raise'
        " bronze.quarantine_share; and run again."
    )


def test_as_many_rejected_rows_as_allowed_pass(spark: SparkSession) -> None:
    check(good(spark, 2), trades.suite(), rows=22, rejected_rows=20).require()


def test_a_row_lost_on_the_way_stops_the_batch(spark: SparkSession) -> None:
    with pytest.raises(GateError, match="no_row_lost failed with 1 of 4 rows"):
        check(good(spark, 2), trades.suite(), rows=4, rejected_rows=1).require()


def test_envelopes_are_not_counted_against_their_rows(spark: SparkSession) -> None:
    envelopes = b.frame(spark, b.READ_ENVELOPE, b.ENVELOPE)

    check(envelopes, bronze.suite(), rows=1000, table="bronze.trades").require()


def test_results_fit_the_table(spark: SparkSession) -> None:
    outcome = check(good(spark), trades.suite(), rows=2, attempt=3)

    kept = spark.createDataFrame(list(outcome.results), schemas.GATE_RESULTS).collect()

    assert {row["table_name"] for row in kept} == {"silver.trades"}
    assert len({row["expectation"] for row in kept}) == len(kept) == 18
    assert kept[0].asDict() == {
        "run_id": "run-1",
        "table_name": "silver.trades",
        "batch_id": 4,
        "attempt": 3,
        "expectation": "rejected_rows_within_limit",
        "success": True,
        "severity": "critical",
        "observed": '{"rows": 0, "allowed": 20}',
        "rows": 2,
        "rejected_rows": 0,
        "checked_at": b.CHECKED_AT.replace(tzinfo=None),
    }


def test_nothing_stays_cached(spark: SparkSession) -> None:
    before = cached(spark)
    check(good(spark), trades.suite(reduced=True), rows=2)
    check(b.frame(spark, schemas.TRADES, b.TRADE, taker_side="up"), trades.suite(), rows=1)

    assert cached(spark) == before


def test_a_caller_s_cached_frame_stays_as_it_was(spark: SparkSession) -> None:
    batch = good(spark).cache()
    try:
        check(batch, trades.suite(), rows=2)
        assert batch.is_cached
    finally:
        batch.unpersist(blocking=True)


def test_only_a_failure_costs_more_than_the_passes(spark: SparkSession) -> None:
    """One job for the rules, one for the key; one an example.

    Ids that run on need no second count of the keys.
    """
    spark.conf.set("spark.sql.adaptive.enabled", "false")
    try:
        broken = b.frame(spark, schemas.TRADES, b.TRADE, taker_side="up").coalesce(1)
        jobs = {
            "bronze": jobs_of(spark, b.frame(spark, b.READ_ENVELOPE, b.ENVELOPE), bronze.suite()),
            "good": jobs_of(spark, good(spark, 1), trades.suite()),
            "reduced": jobs_of(spark, good(spark, 200), trades.suite(reduced=True), rows=200),
            "broken": jobs_of(spark, broken, trades.suite()),
        }
    finally:
        spark.conf.unset("spark.sql.adaptive.enabled")
    assert jobs == {"bronze": 1, "good": 1, "reduced": 2, "broken": 2}


def test_great_expectations_writes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    validation._counts.cache_clear()

    assert validation.failed("t", [Expected("holds", "critical", 0)]) == set()
    assert validation.failed("t", [Expected("fails", "warning", 2, 1)]) == {"fails"}
    assert list(tmp_path.rglob("*")) == []


def test_batches_after_one_another_leave_nothing_in_the_context() -> None:
    for rows in range(3):
        validation.failed("t", [Expected("holds", "critical", rows)])

    engine = validation._counts().data_asset.datasource.get_execution_engine()
    assert len(engine.batch_manager.batch_data_cache) <= 1


def cached(spark: SparkSession) -> int:
    """Return how many frames the session holds in its cache."""
    return len(spark.sparkContext._jsc.sc().getRDDStorageInfo())


def jobs_of(spark: SparkSession, batch: DataFrame, suite: Suite, *, rows: int = 1) -> int:
    context = spark.sparkContext
    group = f"gate of {id(batch)}"
    context.setJobGroup(group, "counted")
    try:
        check(batch, suite, rows=rows)
    finally:
        context.setLocalProperty("spark.jobGroup.id", None)  # type: ignore[arg-type]
    return len(context.statusTracker().getJobIdsForGroup(group))


def test_a_gate_tells_nothing_of_what_it_sets_up() -> None:
    program = (
        "from lake.log import configure_logging\n"
        "from expectations.rules import Expected\nfrom expectations.validation import failed\n"
        "configure_logging()\n"
        "print(*failed('silver.trades', [Expected('some', 'critical', 3)]))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert (done.stdout, done.stderr) == ("some\n", "")
