"""The split of candidates, and the listing that a row is given."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from pyspark.sql import SparkSession

from lake import schemas
from tests.rows import as_json, line, listing, listings, parsed, read
from transform import parsing, rows

TRADE = {"a": 1, "p": "2", "q": "3", "f": 1, "l": 1, "T": 1498793709153, "m": True}


def test_valid_and_rejected_rows_have_the_contracts_schemas(spark: SparkSession) -> None:
    answers = read(spark, line(as_json([TRADE, {**TRADE, "p": "x", "q": "-1"}])))
    candidates = parsing.parse("agg_trades", answers, listings(spark, listing()))

    valid, rejected = rows.valid(candidates, schemas.AGG_TRADES), rows.refused(candidates)

    assert valid.schema == schemas.AGG_TRADES
    taken = [field.name for field in schemas.QUARANTINE][:10]
    assert rejected.columns == taken
    assert [row["agg_id"] for row in valid.collect()] == [1]
    (row,) = rejected.collect()
    assert row["reasons"] == ["price_not_a_plain_decimal", "quantity_not_positive"]
    assert row["payload"] == as_json({**TRADE, "p": "x", "q": "-1"})


def test_a_name_that_came_back_has_the_listing_of_its_time(spark: SparkSession) -> None:
    def at(year: int) -> datetime:
        return datetime(year, 1, 1, tzinfo=UTC)

    known = [
        listing(instrument_uid="old", base_unit="LUNA", valid_from=at(2018), valid_to=at(2019)),
        listing(instrument_uid="new", base_unit="LUNA2", valid_from=at(2021)),
    ]
    years = {2017: "old", 2018: "old", 2020: "old", 2021: "new", 2024: "new"}
    trades = [
        {**TRADE, "a": year, "T": int(at(year).timestamp()) * 1000 + 86_400_000} for year in years
    ]

    valid, rejected = parsed(spark, "agg_trades", line(as_json(trades)), known=known)

    assert rejected == []
    assert {row["agg_id"]: row["instrument_uid"] for row in valid} == years


def test_the_widest_values_that_fit_are_exact(spark: SparkSession) -> None:
    wide = {**TRADE, "p": "1.0000000001", "q": "99999999999999999999.99999999"}
    cents = {**TRADE, "a": 2, "p": "9999999999.9999999999", "q": "0.00000001"}

    valid, rejected = parsed(spark, "agg_trades", line(as_json([cents])))

    assert rejected == []
    assert valid[0]["quote_quantity"] == Decimal("99.999999999999999999")
    _, rejected = parsed(spark, "agg_trades", line(as_json([wide])))
    assert [row["reasons"] for row in rejected] == [["quote_quantity_not_computable"]]
