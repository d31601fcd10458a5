"""Funding rates as each source writes them: exact to the last digit, or quarantined."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.rows import as_json, line, parsed, refused

REFERENCE = Path(__file__).parents[3] / "shared" / "data" / "reference"
MOCKS = REFERENCE / "binance_rest_ws_mocks" / "http.json"
BODY = REFERENCE / "binance_bodies" / "http_futures_market_funding_rate.json"
OPENAPI = REFERENCE / "deribit_openapi" / "deribit_openapi_v2.1.1.json"
SETTLED = {
    "symbol": "BTCUSDT",
    "fundingTime": 1_704_067_200_003,
    "fundingRate": "-0.00012345",
    "markPrice": "42313.90000000",
}
HEADER = "calc_time,funding_interval_hours,last_funding_rate"
#: What Deribit's own OpenAPI shows: an hour as it is sent, byte for byte.
HOUR = (
    '{"timestamp":1569891600000,"index_price":8222.87,"prev_index_price":8305.72,'
    '"interest_8h":-9.234260068476106e-05,"interest_1h":-4.739622041017375e-07}'
)


def rest(*rows: Any, **named: Any) -> str:
    return line(as_json(list(rows)), **{"dataset": "funding_rates", "kind": "usdm", **named})


def deribit(*hours: str) -> str:
    body = f'{{"jsonrpc":"2.0","result":[{",".join(hours)}],"usIn":1,"usOut":2}}'
    of = {"exchange": "deribit", "kind": "future", "instrument": "BTC-PERPETUAL"}
    return line(body, dataset="funding_rates", **of)


def test_a_settlement_over_rest_keeps_its_rate_and_its_moment(spark: SparkSession) -> None:
    valid, rejected = parsed(spark, "funding_rates", rest(SETTLED))

    assert rejected == []
    (row,) = valid
    assert row["funding_timestamp"] == datetime(2024, 1, 1, 0, 0, 0, 3000)
    assert row["exchange_timestamp"] == 1_704_067_200_003
    assert row["funding_rate"] == Decimal("-0.00012345")
    assert row["mark_price"] == Decimal("42313.9")
    assert (row["funding_interval_hours"], row["index_price"], row["rate_type"]) == (None,) * 3
    assert (row["source"], row["revision"]) == ("history", 0)
    assert (row["year"], row["month"], row["day"]) == (2024, 1, 1)


def test_an_empty_mark_price_is_none_and_the_type_of_a_rate_is_kept(spark: SparkSession) -> None:
    older = {**SETTLED, "markPrice": "", "rateType": "Regular"}
    oldest = {name: SETTLED[name] for name in ("symbol", "fundingRate", "fundingTime")}

    valid, rejected = parsed(spark, "funding_rates", rest(older, oldest))

    assert rejected == []
    assert [(row["mark_price"], row["rate_type"]) for row in valid] == [
        (None, "Regular"),
        (None, None),
    ]


def test_a_line_of_the_archive_names_the_hours(spark: SparkSession) -> None:
    text = f"{HEADER}\n1704067200003,8,-0.00012345\n1704081600000,4,0.00010000\n"
    lines = line(text, dataset="funding_rates", kind="usdm", mode="archive")

    valid, rejected = parsed(spark, "funding_rates", lines)

    assert rejected == []
    assert [
        (row["exchange_timestamp"], row["funding_interval_hours"], row["funding_rate"])
        for row in valid
    ] == [
        (1_704_067_200_003, 8, Decimal("-0.00012345")),
        (1_704_081_600_000, 4, Decimal("0.0001")),
    ]
    assert {row["source"] for row in valid} == {"archive"}
    assert {row["mark_price"] for row in valid} == {None}


def test_an_hour_of_deribit_is_exact_to_its_twenty_second_decimal(spark: SparkSession) -> None:
    valid, rejected = parsed(spark, "funding_rates", deribit(HOUR))

    assert rejected == []
    (row,) = valid
    assert row["funding_timestamp"] == datetime(2019, 10, 1, 1)
    assert row["funding_rate"] == Decimal("-0.0000004739622041017375")
    assert row["funding_rate_8h"] == Decimal("-0.00009234260068476106")
    assert row["funding_interval_hours"] == 1
    assert row["index_price"] == Decimal("8222.87")
    assert row["previous_index_price"] == Decimal("8305.72")
    assert row["mark_price"] is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"fundingRate": "0." + "0" * 33 + "15"}, "funding_rate_exceeds_decimal_38_34"),
        ({"fundingRate": "10000.5"}, "funding_rate_exceeds_decimal_38_34"),
        ({"fundingRate": "1e-4"}, "funding_rate_not_a_plain_decimal"),
        ({"fundingRate": None}, "funding_rate_missing"),
        ({"fundingTime": "soon"}, "funding_time_not_an_integer"),
        ({"markPrice": "0.00000000001"}, "mark_price_exceeds_decimal_20_10"),
        ({"symbol": "ETHUSDT"}, "instrument_differs"),
        ({"fundingTime": 1_704_067_200_003_000}, "time_unit_unexpected"),
    ],
)
def test_what_does_not_fit_is_refused_and_never_rounded(
    spark: SparkSession, changes: dict[str, Any], reason: str
) -> None:
    valid, rejected = parsed(spark, "funding_rates", rest({**SETTLED, **changes}, SETTLED))

    assert len(valid) == 1
    assert refused(rejected) == [(0, [reason])]
    assert json.loads(rejected[0]["payload"]) == {**SETTLED, **changes}


def test_a_rate_of_deribit_that_does_not_fit_is_refused(spark: SparkSession) -> None:
    odd = HOUR.replace("-4.739622041017375e-07", "4.739622041017375e-20")

    valid, rejected = parsed(spark, "funding_rates", deribit(odd, HOUR))

    assert len(valid) == 1
    assert refused(rejected) == [(0, ["funding_rate_exceeds_decimal_38_34"])]
    assert "4.739622041017375e-20" in rejected[0]["payload"]


def test_an_error_and_an_answer_of_another_shape_are_no_rates(spark: SparkSession) -> None:
    error = line('{"code":-1121,"msg":"Invalid symbol."}', dataset="funding_rates", kind="usdm")
    of = {"exchange": "deribit", "kind": "future", "dataset": "funding_rates"}
    single = line('{"jsonrpc":"2.0","result":-0.0002}', **of, sequence=2)

    valid, rejected = parsed(spark, "funding_rates", error, single)

    assert valid == []
    assert [row["reasons"] for row in rejected] == [
        ["answer_is_an_error"],
        ["answer_not_understood"],
    ]


@pytest.mark.skipif(not MOCKS.exists(), reason="the recorded reference bodies are not here")
@pytest.mark.parametrize(("prefix", "kind"), [("/fapi/v1", "usdm"), ("/dapi/v1", "coinm")])
def test_recorded_pages_of_funding_rates(spark: SparkSession, prefix: str, kind: str) -> None:
    routes = json.loads(MOCKS.read_text(encoding="utf-8"), parse_float=str)["routes"]
    answers = [answer["data"] for answer in routes[f"{prefix}/fundingRate"]["GET"]]
    pages = [rows for rows in answers if rows]
    lines = [
        rest(*rows, kind=kind, instrument=rows[0]["symbol"], sequence=place)
        for place, rows in enumerate(pages, start=1)
    ]

    valid, rejected = parsed(spark, "funding_rates", *lines)

    assert rejected == []
    sent = sorted((row["fundingTime"], row["fundingRate"]) for rows in pages for row in rows)
    assert len(sent) > 50
    read = sorted((row["exchange_timestamp"], f"{row['funding_rate']:.8f}") for row in valid)
    assert read == sent


@pytest.mark.skipif(not BODY.exists(), reason="the recorded reference bodies are not here")
def test_a_recorded_body_of_funding_rates(spark: SparkSession) -> None:
    body = line(BODY.read_text(encoding="utf-8"), dataset="funding_rates", kind="usdm")

    valid, rejected = parsed(spark, "funding_rates", body)

    assert rejected == []
    assert [row["funding_rate"] for row in valid] == [Decimal("-0.0375"), Decimal("0.0001")]


@pytest.mark.skipif(not OPENAPI.exists(), reason="Deribit's OpenAPI is not here")
def test_the_hours_that_deribits_contract_shows(spark: SparkSession) -> None:
    responses = json.loads(OPENAPI.read_text(encoding="utf-8"), parse_float=Decimal)["components"]
    shown = responses["responses"]["PublicGetFundingRateHistoryResponse"]["content"]
    answer = shown["application/json"]["examples"]["response"]["value"]
    hours = [
        "{" + ",".join(f'"{name}":{value}' for name, value in hour.items()) + "}"
        for hour in answer["result"]
    ]

    valid, rejected = parsed(spark, "funding_rates", deribit(*hours))

    assert rejected == []
    assert len(hours) == 4
    assert [row["funding_rate"] for row in valid] == [
        hour["interest_1h"] for hour in answer["result"]
    ]
