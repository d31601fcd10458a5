from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import batches as b
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from expectations import (
    agg_trades,
    bronze,
    facts,
    funding_rates,
    index_prices,
    information_bars,
    instruments,
    klines,
    mark_bars,
    ohlcv,
    trades,
)
from expectations.rules import Suite, admitting
from lake import (
    schemas,
    schemas_of_indexes,
    schemas_of_information_bars,
    schemas_of_perpetuals,
)

pytestmark = [
    pytest.mark.spark,
    # pyspark leaves the socket of each collect to the garbage collector
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

LATEST = b.CHECKED_AT + timedelta(minutes=1)
TOO_OLD = datetime(2008, 12, 31, 23, 59, 59, tzinfo=UTC)
#: The day of it.
EVE = {"year": 2008, "month": 12, "day": 31}
TOO_NEW = LATEST + timedelta(microseconds=1)


class Case(NamedTuple):
    suite: Suite
    schema: T.StructType
    good: Mapping[str, Any]


CASES = {
    "trades": Case(trades.suite(reduced=True), schemas.TRADES, b.TRADE),
    "agg_trades": Case(agg_trades.suite(reduced=True), schemas.AGG_TRADES, b.AGG_TRADE),
    "klines": Case(klines.suite(reduced=True), schemas.KLINES, b.KLINE),
    "instruments": Case(instruments.suite(), schemas.INSTRUMENTS, b.INSTRUMENT),
    "ohlcv": Case(ohlcv.suite(), schemas.OHLCV, b.CANDLE),
    "bronze": Case(bronze.suite(), b.READ_ENVELOPE, b.ENVELOPE),
    "funding_rates": Case(
        funding_rates.suite(reduced=True), schemas_of_perpetuals.FUNDING_RATES, b.FUNDING
    ),
    "settlements": Case(
        funding_rates.settlements(), schemas_of_perpetuals.SETTLEMENTS, b.SETTLEMENT
    ),
    "index_prices": Case(index_prices.suite(), schemas_of_indexes.INDEX_PRICES, b.INDEX_PRICE),
    "mark_klines": Case(
        mark_bars.suite(reduced=True), schemas_of_perpetuals.MARK_KLINES, b.MARK_BAR
    ),
    "mark_ohlcv": Case(mark_bars.candles(), schemas_of_perpetuals.MARK_OHLCV, b.MARK_CANDLE),
    "information_bars": Case(
        information_bars.suite(), schemas_of_information_bars.INFORMATION_BARS, b.INFORMATION_BAR
    ),
}
PROVENANCE: list[tuple[str, dict[str, Any]]] = [
    ("required_columns_present", {"region": ""}),
    ("exchange_known", {"exchange": "kraken"}),
    ("exchange_known", {"exchange": "a"}),
    ("exchange_known", {"exchange": "z"}),
    ("kind_known", {"kind": "margin"}),
    ("source_known", {"source": "guess"}),
    ("end_download_timestamp_plausible", {"end_download_timestamp": TOO_OLD}),
    ("persisted_after_download", {"knowledge_timestamp": b.TRADED_AT}),
    ("bronze_place_known", {"bronze_line": 0}),
    ("bronze_place_known", {"parser_version": 0}),
    ("day_agrees_with_timestamp", {"day": 2}),
    ("day_agrees_with_timestamp", {"month": 13}),
    ("day_agrees_with_timestamp", {"year": 2023}),
]
PRINTS: list[tuple[str, dict[str, Any]]] = [
    *PROVENANCE,
    ("required_columns_present", {"price": None}),
    ("taker_side_known", {"taker_side": "BUY"}),
    ("price_above_zero", {"price": Decimal(0)}),
    ("price_above_zero", {"price": Decimal("-0.0000000001")}),
    ("quantity_above_zero", {"quantity": Decimal(0)}),
    ("quote_quantity_above_zero", {"quote_quantity": Decimal(0)}),
    ("trade_timestamp_plausible", {"trade_timestamp": TOO_NEW, "day": 3}),
    (
        "trade_timestamp_plausible",
        {"trade_timestamp": TOO_OLD, "year": 2008, "month": 12, "day": 31},
    ),
]
#: What a bar of any kind of gold keeps.
OF_CANDLES = {
    "required_columns_present",
    "exchange_known",
    "kind_known",
    "bar_interval_known",
    "bar_starts_on_grid",
    "open_and_close_within_low_and_high",
    "month_agrees_with_bar_start",
}
BREAKS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "trades": [
        *PRINTS,
        ("print_kind_known", {"print_kind": "gift"}),
        ("print_kind_decided", {"print_kind": "unknown"}),
        ("trade_seq_not_negative", {"trade_seq": -1}),
    ],
    "agg_trades": [
        *PRINTS,
        ("agg_id_and_first_trade_seq_not_negative", {"agg_id": -1}),
        ("agg_id_and_first_trade_seq_not_negative", {"first_trade_seq": -1}),
        ("first_trade_before_last", {"last_trade_seq": 6}),
    ],
    "klines": [
        *PROVENANCE,
        ("required_columns_present", {"close": None}),
        ("odd_times_named", {"close_time": datetime(2024, 1, 1, 23, 58, tzinfo=UTC)}),
        ("odd_prices_named", {"high": Decimal("10.5")}),
        ("odd_prices_named", {"low": Decimal("10.5")}),
        ("volumes_not_negative", {"trade_count": -1}),
        ("quote_volume_of_the_venue_present", {"quote_volume_sent": None}),
        ("taker_share_within_total", {"taker_buy_volume_sent": Decimal("5.1")}),
        ("open_time_plausible", {"open_time": TOO_OLD, **EVE}),
        ("bar_without_findings", {"findings": ["off_grid"]}),
    ],
    "instruments": [
        ("required_columns_present", {"instrument": ""}),
        ("exchange_known", {"exchange": "kraken"}),
        ("kind_known", {"kind": "margin"}),
        ("direction_known", {"direction": "sideways"}),
        ("option_type_known", {"option_type": "straddle"}),
        ("sizes_not_negative", {"tick_size": Decimal(-1)}),
        ("strike_above_zero", {"strike": Decimal(0)}),
        ("valid_from_plausible", {"valid_from": TOO_OLD}),
        ("valid_from_before_valid_to", {"valid_to": datetime(2023, 1, 1, tzinfo=UTC)}),
        ("listed_before_delisted", {"listed_at": b.CHECKED_AT, "delisted_at": b.TRADED_AT}),
    ],
    "ohlcv": [
        ("required_columns_present", {"is_complete": None}),
        ("exchange_known", {"exchange": "kraken"}),
        ("kind_known", {"kind": "margin"}),
        ("bar_interval_known", {"bar_interval": "7m"}),
        ("built_from_known", {"built_from": "klines"}),
        ("bar_as_long_as_its_interval", {"bar_interval": "1m"}),
        (
            "bar_starts_on_grid",
            {
                "bar_start": datetime(2024, 1, 1, 23, 54, tzinfo=UTC),
                "bar_end": datetime(2024, 1, 1, 23, 59, tzinfo=UTC),
            },
        ),
        ("prices_all_or_none", {"open": None}),
        ("open_and_close_within_low_and_high", {"close": Decimal("12.01")}),
        ("open_and_close_within_low_and_high", {"open": Decimal("8.99")}),
        ("volume_and_taker_buy_volume_not_negative", {"taker_buy_volume": Decimal(-1)}),
        ("taker_share_within_total", {"taker_buy_volume": Decimal("5.1")}),
        ("taker_share_within_total", {"taker_buy_quote_volume": Decimal("50.1")}),
        ("trade_count_above_zero", {"trade_count": 0}),
        ("first_trade_before_last", {"last_trade_seq": 6}),
        ("month_agrees_with_bar_start", {"month": 2}),
        ("month_agrees_with_bar_start", {"year": 2023}),
    ],
    "bronze": [
        ("exchange_known", {"exchange": "kraken"}),
        ("kind_known", {"kind": "margin"}),
        ("dataset_known", {"dataset": "books"}),
        ("mode_known", {"mode": "guess"}),
        ("envelope_complete", {"knowledge_timestamp": None}),
        ("envelope_complete", {"run_id": None}),
        ("body_present", {"body": None}),
        ("status_ok_or_none", {"status": 418}),
        ("sequence_from_one", {"sequence": 0}),
        ("end_download_timestamp_plausible", {"end_download_timestamp": TOO_OLD}),
        ("persisted_after_download", {"knowledge_timestamp": b.TRADED_AT}),
    ],
}
BREAKS["funding_rates"] = [
    *PROVENANCE,
    ("required_columns_present", {"funding_rate": None}),
    ("funding_timestamp_plausible", {"funding_timestamp": TOO_OLD, **EVE}),
    ("funding_rate_below_one", {"funding_rate": Decimal("-1.01")}),
    ("funding_interval_plausible", {"funding_interval_hours": 25}),
    ("prices_above_zero", {"mark_price": Decimal(0)}),
]
LISTENED = {"price_source": "deribit_price_index", "timestamp_source": "exchange"}
BREAKS["index_prices"] = [
    *PROVENANCE,
    ("required_columns_present", {"price": None}),
    ("kind_known", {"kind": "future"}),
    ("price_source_known", {"price_source": "guess"}),
    ("timestamp_source_agrees_with_price_source", {"timestamp_source": "exchange"}),
    (
        "price_timestamp_plausible",
        {"price_timestamp": TOO_NEW, "minute": b.CHECKED_AT, "day": 3},
    ),
    ("minute_on_the_minute", {"minute": datetime(2024, 1, 1, 23, 59, 0, 250, tzinfo=UTC)}),
    ("price_stands_for_its_minute", {"minute": datetime(2024, 1, 2, tzinfo=UTC), "day": 2}),
    ("price_stands_for_its_minute", LISTENED),
    ("price_above_zero", {"price": Decimal(0)}),
    ("estimated_delivery_price_above_zero", {"estimated_delivery_price": Decimal(0)}),
    (
        "polled_within_half_a_minute",
        {"price_timestamp": datetime(2024, 1, 2, 0, 0, 31, tzinfo=UTC)},
    ),
]
BREAKS["settlements"] = [
    ("required_columns_present", {"is_disputed": None}),
    ("exchange_known", {"exchange": "kraken"}),
    ("kind_known", {"kind": "margin"}),
    ("source_known", {"source": "mixed"}),
    ("settlement_timestamp_plausible", {"settlement_timestamp": datetime(2024, 1, 9, tzinfo=UTC)}),
    ("settled_on_the_minute", {"settlement_timestamp": b.TRADED_AT}),
    ("interval_says_how_it_is_known", {"interval_is": None}),
    ("interval_says_how_it_is_known", {"funding_interval_hours": None}),
    ("interval_says_how_it_is_known", {"interval_is": "guessed"}),
    ("month_agrees_with_settlement", {"month": 2}),
    ("sources_agree", {"is_disputed": True}),
]
BREAKS["mark_klines"] = [
    *PROVENANCE,
    ("required_columns_present", {"close": None}),
    ("odd_times_named", {"close_time": datetime(2024, 1, 1, 23, 58, tzinfo=UTC)}),
    ("odd_prices_named", {"high": Decimal("10.5")}),
    ("open_time_plausible", {"open_time": TOO_OLD, **EVE}),
    ("bar_without_findings", {"findings": ["off_grid"]}),
]
BREAKS["mark_ohlcv"] = [
    *[one for one in BREAKS["ohlcv"] if one[0] in OF_CANDLES],
    ("required_columns_present", {"open": None}),
    ("source_known", {"source": "guess"}),
    ("bar_as_long_as_its_interval", {"bar_end": datetime(2024, 1, 2, 0, 5, tzinfo=UTC)}),
    ("minutes_within_interval", {"minutes": 0, "is_complete": False}),
    ("minutes_within_interval", {"minutes": 6, "is_complete": False}),
    ("complete_where_whole", {"is_complete": False}),
    ("sources_agree", {"is_disputed": True}),
]
OF_PRINTS = {
    "exchange_known",
    "kind_known",
    "built_from_known",
    "prices_all_or_none",
    "open_and_close_within_low_and_high",
    "volume_and_taker_buy_volume_not_negative",
    "taker_share_within_total",
    "trade_count_above_zero",
    "first_trade_before_last",
}
_DAY_AHEAD = datetime(2024, 1, 3, 0, 2, tzinfo=UTC)
BREAKS["information_bars"] = [
    *[one for one in BREAKS["ohlcv"] if one[0] in OF_PRINTS],
    ("required_columns_present", {"is_last_of_day": None}),
    ("bar_type_known", {"bar_type": "range"}),
    ("threshold_above_zero", {"threshold": Decimal(0)}),
    ("bar_number_above_zero", {"bar_number": 0}),
    (
        "bar_end_plausible",
        {"bar_start": _DAY_AHEAD, "bar_end": _DAY_AHEAD, "bar_date": date(2024, 1, 3)},
    ),
    ("bar_starts_before_it_ends", {"bar_end": datetime(2024, 1, 1, 23, 54, tzinfo=UTC)}),
    ("prints_within_bar_date", {"bar_date": date(2024, 1, 2)}),
    ("prints_within_bar_date", {"bar_end": datetime(2024, 1, 2, tzinfo=UTC)}),
    ("month_agrees_with_bar_date", {"month": 2}),
    ("month_agrees_with_bar_date", {"year": 2023}),
]
#: Rules that can't be broken alone: a bar in the future is beyond the day's end of the good row.
TOGETHER = {"bar_end_plausible"}


def broken(spark: SparkSession, case: Case, *rows: Mapping[str, Any]) -> dict[str, int]:
    """Return the rules that the rows break, with how many of them."""
    counted = facts.measure(b.frame(spark, case.schema, *rows), case.suite, latest=LATEST)
    assert counted.rows == len(rows)
    repeats = {facts.KEY_UNIQUE: counted.repeats} if counted.repeats else {}
    return {**{name: count for name, count in counted.broken.items() if count}, **repeats}


@pytest.mark.parametrize("table", CASES)
def test_a_row_breaks_just_its_rule(spark: SparkSession, table: str) -> None:
    case, breaks = CASES[table], BREAKS[table]
    rows = [case.good, *({**case.good, **changes} for _, changes in breaks)]
    names = F.array(
        *[F.when(facts.breaking(rule, LATEST), F.lit(rule.name)) for rule in case.suite.rules]
    )
    found = b.frame(spark, case.schema, *rows).select(F.array_compact(names)).collect()
    assert [row[0] for row in found] == [[], *([rule] for rule, _ in breaks)]


@pytest.mark.parametrize("table", CASES)
def test_each_rule_has_a_row_that_breaks_it(table: str) -> None:
    assert {rule.name for rule in CASES[table].suite.rules} == (
        {rule for rule, _ in BREAKS[table]}
        | (TOGETHER if table in ("ohlcv", "mark_ohlcv") else set())
    )


def test_a_candle_of_a_bar_to_come_breaks_the_time_rule(spark: SparkSession) -> None:
    ahead = {
        "bar_start": datetime(2024, 1, 3, 0, 0, tzinfo=UTC),
        "bar_end": datetime(2024, 1, 3, 0, 5, tzinfo=UTC),
    }
    assert broken(spark, CASES["ohlcv"], {**b.CANDLE, **ahead}) == {"bar_end_plausible": 1}


@pytest.mark.parametrize("kind", ["future_combo", "option_combo"])
def test_only_a_combo_may_have_a_price_of_zero_or_less(spark: SparkSession, kind: str) -> None:
    combo = {
        **b.TRADE,
        "exchange": "deribit",
        "kind": kind,
        "price": Decimal(-5),
        "quote_quantity": Decimal("-2.5"),
    }
    assert broken(spark, CASES["trades"], combo) == {}
    assert broken(spark, CASES["trades"], {**combo, "kind": "option"}) == {
        "price_above_zero": 1,
        "quote_quantity_above_zero": 1,
    }


def test_an_odd_bar_is_let_through_where_a_finding_names_it(spark: SparkSession) -> None:
    named = {**b.KLINE, "high": Decimal("10.5"), "findings": ["ohlc_illogical"]}
    assert broken(spark, CASES["klines"], named) == {"bar_without_findings": 1}


def test_a_bar_of_off_book_prints_needs_no_price(spark: SparkSession) -> None:
    unpriced = {**b.CANDLE, "open": None, "high": None, "low": None, "close": None}
    assert broken(spark, CASES["ohlcv"], unpriced) == {}


def test_an_envelope_with_a_named_fault_is_left_to_the_row_rules(spark: SparkSession) -> None:
    faulty = {**b.ENVELOPE, "status": 418, "body": None, "faults": ["http_status"]}
    assert broken(spark, CASES["bronze"], faulty) == {}


def test_a_repeated_key_is_counted_beyond_its_first_row(spark: SparkSession) -> None:
    twice = {**b.AGG_TRADE, "price": Decimal(1)}
    other_kind = {**b.AGG_TRADE, "kind": "usdm"}
    rows = [b.AGG_TRADE, twice, twice, other_kind]
    assert broken(spark, CASES["agg_trades"], *rows) == {"key_unique": 2}


def test_numbers_far_apart_below_zero_or_neighbouring_are_told_apart(spark: SparkSession) -> None:
    ids = [0, 1, 63, 64, 65, 2**62, 2**62 + 1, 3_300_000_000]
    rows = [{**b.TRADE, "trade_seq": number} for number in ids]
    assert broken(spark, CASES["trades"], *rows) == {}


def test_bars_of_one_minute_off_the_grid_have_keys_of_their_own(spark: SparkSession) -> None:
    shifted = {
        "bar_start": datetime(2024, 1, 1, 23, 55, 30, tzinfo=UTC),
        "bar_end": datetime(2024, 1, 2, 0, 0, 30, tzinfo=UTC),
    }
    assert broken(spark, CASES["ohlcv"], b.CANDLE, {**b.CANDLE, **shifted}) == {
        "bar_starts_on_grid": 1
    }


def test_a_batch_not_yet_reduced_may_repeat_keys(spark: SparkSession) -> None:
    case = CASES["trades"]._replace(suite=trades.suite())
    assert broken(spark, case, b.TRADE, b.TRADE) == {}


@pytest.mark.parametrize("table", ["agg_trades", "bronze"])
def test_an_empty_batch_breaks_no_rule(spark: SparkSession, table: str) -> None:
    assert broken(spark, CASES[table]) == {}


def test_broken_rows_are_counted_by_seekable_and_by_other_rules(spark: SparkSession) -> None:
    rows = [
        {**b.AGG_TRADE, "agg_id": 1, "price": Decimal(0)},
        {**b.AGG_TRADE, "agg_id": 2, "price": Decimal(0), "quantity": Decimal(0)},
        {**b.AGG_TRADE, "agg_id": 3, "taker_side": "up"},
        {**b.AGG_TRADE, "agg_id": 4},
    ]
    assert broken(spark, CASES["agg_trades"], *rows) == {
        "price_above_zero": 2,
        "quantity_above_zero": 1,
        "taker_side_known": 1,
    }


def test_the_day_is_of_utc_in_a_session_elsewhere(spark: SparkSession) -> None:
    batch = b.frame(spark, schemas.TRADES, b.TRADE)
    spark.conf.set("spark.sql.session.timeZone", "America/New_York")
    try:
        counted = facts.measure(batch, trades.suite(), latest=LATEST)
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")
    assert sum(counted.broken.values()) == 0


def test_an_exchange_of_ccxt_is_let_in_and_weakens_no_rule_of_another(spark: SparkSession) -> None:
    suite = admitting(klines.suite(), ["kraken"])
    case = CASES["klines"]._replace(suite=suite)
    kraken = {**b.KLINE, "exchange": "kraken", "quote_volume_sent": None}

    lets_in = [{**kraken, "kind": kind} for kind in ("spot", "swap", "future")]
    assert broken(spark, case, *lets_in, b.KLINE) == {}
    for name, row in (
        ("exchange_known", {**b.KLINE, "exchange": "krakn"}),
        ("kind_known", {**kraken, "kind": "usdm"}),
        ("kind_known", {**b.KLINE, "kind": "swap"}),
        ("quote_volume_of_the_venue_present", {**b.KLINE, "quote_volume_sent": None}),
    ):
        assert broken(spark, case, row) == {name: 1}
    assert admitting(trades.suite(), []) == trades.suite()
