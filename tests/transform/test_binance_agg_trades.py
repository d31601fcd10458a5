"""Binance's aggregate trades, from REST, the archive and the stream."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from pyspark.sql import SparkSession

from tests.rows import as_json, line, listing, parsed, refused

GOOD = {
    "a": 26129,
    "p": "0.01633102",
    "q": "4.70443515",
    "f": 27781,
    "l": 27783,
    "T": 1498793709153,
    "m": True,
    "M": True,
}
BTC = listing(base_unit="BTC", quote_unit="USDT", quantity_unit="BTC")


def _beside_good(spark: SparkSession, *odd: str, **named: object) -> list[tuple[int, list[str]]]:
    """Parse odd elements between two good rows; the good ones must come out."""
    last = as_json({**GOOD, "a": 26131})
    body = f"[{as_json(GOOD)},{','.join(odd)},{last}]"
    valid, rejected = parsed(spark, "agg_trades", line(body, **named))
    assert {row["agg_id"] for row in valid} == {26129, 26131}
    return refused(rejected)


def test_a_rest_row_keeps_every_digit(spark: SparkSession) -> None:
    valid, rejected = parsed(spark, "agg_trades", line(f"[{as_json(GOOD)}]"), known=[BTC])

    assert rejected == []
    (row,) = valid
    assert row["agg_id"] == 26129
    assert (row["first_trade_seq"], row["last_trade_seq"]) == (27781, 27783)
    assert row["price"] == Decimal("0.01633102")
    assert row["quantity"] == Decimal("4.70443515")
    # 0.01633102 x 4.70443515, by hand
    assert row["quote_quantity"] == Decimal("0.0768282245233530")
    assert row["taker_side"] == "sell"
    assert row["exchange_timestamp"] == 1498793709153
    assert row["trade_timestamp"] == datetime(2017, 6, 30, 3, 35, 9, 153000)
    assert (row["year"], row["month"], row["day"]) == (2017, 6, 30)
    assert (row["quantity_unit"], row["base_unit"], row["quote_unit"]) == ("BTC", "BTC", "USDT")
    assert row["contract_size"] == Decimal(1)
    assert (row["source"], row["bronze_line"]) == ("history", 1)


def test_units_of_an_unknown_spot_instrument_are_null(spark: SparkSession) -> None:
    valid, _ = parsed(spark, "agg_trades", line(f"[{as_json(GOOD)}]"))

    assert valid[0]["quantity_unit"] is None
    assert valid[0]["instrument_uid"] == "BTCUSDT"


ODD: list[tuple[dict[str, object], str]] = [
    ({"p": "abc"}, "price_not_a_plain_decimal"),
    ({"p": "1e2"}, "price_not_a_plain_decimal"),
    ({"p": " 1.5"}, "price_not_a_plain_decimal"),
    ({"p": "1.5\n"}, "price_not_a_plain_decimal"),
    ({"p": ""}, "price_not_a_plain_decimal"),
    ({"p": {"x": 1}}, "price_not_a_plain_decimal"),
    ({"p": None}, "price_missing"),
    ({"p": "1.12345678901"}, "price_exceeds_decimal_20_10"),
    ({"p": "12345678901"}, "price_exceeds_decimal_20_10"),
    ({"p": "0"}, "price_not_positive"),
    ({"p": "-1.5"}, "price_not_positive"),
    ({"q": "1.123456789"}, "quantity_exceeds_decimal_28_8"),
    ({"q": "123456789012345678901"}, "quantity_exceeds_decimal_28_8"),
    ({"q": "-1"}, "quantity_not_positive"),
    ({"q": "0.00000000"}, "invalidated_by_the_exchange"),
    ({"q": "0", "p": "0", "f": -1, "l": -1}, "invalidated_by_the_exchange"),
    ({"f": -1, "l": -1}, "invalidated_by_the_exchange"),
    ({"f": -1}, "trade_id_negative"),
    ({"l": 27780}, "last_trade_before_first"),
    ({"a": None}, "agg_id_missing"),
    ({"a": -5}, "agg_id_negative"),
    ({"a": "x"}, "agg_id_not_an_integer"),
    ({"a": 1234567890123456789}, "agg_id_not_an_integer"),
    ({"T": None}, "trade_time_missing"),
    ({"T": -999999999999999999}, "trade_time_before_2009"),
    ({"T": 1498793709}, "trade_time_before_2009"),
    ({"T": 149879370915300000}, "trade_time_in_the_future"),
    # a minute and a millisecond after the answer
    ({"T": 1795219260001}, "trade_time_in_the_future"),
    ({"m": "maybe"}, "buyer_is_maker_not_a_flag"),
    ({"m": None}, "buyer_is_maker_missing"),
    ({"p": "9999999999", "q": "99999999999999999999"}, "quote_quantity_not_computable"),
]


def test_each_odd_row_is_refused_with_its_reason_beside_good_ones(spark: SparkSession) -> None:
    odd = [as_json({**GOOD, "a": 26130, **change}) for change, _ in ODD]

    found = _beside_good(spark, *odd)

    assert found == [(place, [reason]) for place, (_, reason) in enumerate(ODD, start=1)]


def test_elements_of_any_type_leave_the_good_rows_alone(spark: SparkSession) -> None:
    found = _beside_good(spark, "7", '"text"', "[1,2]", "null", "{}", '{"code":-1}')

    assert [position for position, _ in found] == [1, 2, 3, 4, 5, 6]
    assert all("price_missing" in reasons for _, reasons in found)


def test_a_number_where_a_string_belongs_is_read_to_the_digit(spark: SparkSession) -> None:
    odd = as_json(GOOD).replace('"0.01633102"', "87456.123456789012345")
    assert _beside_good(spark, odd) == [(1, ["price_exceeds_decimal_20_10"])]

    exact = as_json(GOOD).replace('"0.01633102"', "87456.1234567890")
    valid, _ = parsed(spark, "agg_trades", line(f"[{exact}]"))
    assert valid[0]["price"] == Decimal("87456.1234567890")


def test_a_refused_row_keeps_its_text_as_sent(spark: SparkSession) -> None:
    odd = as_json({**GOOD, "p": "abc", "extra": 1.50})
    _, rejected = parsed(spark, "agg_trades", line(f"[{odd}]"))

    (row,) = rejected
    assert row["payload"] == odd
    assert (row["dataset"], row["exchange"], row["kind"]) == ("agg_trades", "binance", "spot")
    assert (row["instrument"], row["bronze_file"], row["bronze_line"]) == (
        "BTCUSDT",
        "bronze/file",
        1,
    )
    assert row["parser_version"] == 1


BROKEN = {
    '[{"a":1},{"a":2': "answer_not_understood",
    "<html><body>502</body></html>": "answer_not_understood",
    '{"code":-1121,"msg":"Invalid symbol."}': "answer_is_an_error",
    "": "answer_not_understood",
    '[{"a":1}] trailing': "answer_not_understood",
    "[NaN]": "answer_not_understood",
    '"text"': "answer_not_understood",
}


def test_an_answer_that_is_no_page_is_refused_whole_beside_a_good_one(spark: SparkSession) -> None:
    lines = [line(body, sequence=place) for place, body in enumerate(BROKEN, start=2)]

    valid, rejected = parsed(spark, "agg_trades", line(f"[{as_json(GOOD)}]"), *lines)

    assert [row["bronze_line"] for row in valid] == [1]
    assert refused(rejected) == [(-1, [reason]) for reason in BROKEN.values()]
    assert [row["payload"] for row in rejected] == list(BROKEN)


def test_an_empty_page_is_no_row(spark: SparkSession) -> None:
    assert parsed(spark, "agg_trades", line("[]")) == ([], [])


def test_an_answer_of_an_unknown_exchange_is_kept_aside(spark: SparkSession) -> None:
    strange = line("[]", exchange="atlantis")
    _, rejected = parsed(spark, "agg_trades", strange)

    assert refused(rejected) == [(-1, ["exchange_unknown"])]


def test_names_with_slashes_and_dots_stay_as_they_are(spark: SparkSession) -> None:
    lines = [
        line(f"[{as_json(GOOD)}]", instrument=name, sequence=place)
        for place, name in enumerate(("a/b", "..", "A=B", "比特币"), start=1)
    ]
    valid, _ = parsed(spark, "agg_trades", *lines)

    assert {row["instrument"] for row in valid} == {"a/b", "..", "A=B", "比特币"}


SPOT_LINE = "2807759891,42283.58000000,0.00069000,3344774379,3344774379,1704067200000,True,True"
FUTURES_LINE = "3,42283.5,0.069,5,7,1704067200000,false"
HEADER = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"


def test_spot_archive_lines_are_read(spark: SparkSession) -> None:
    body = f"{SPOT_LINE}\n{SPOT_LINE.replace('2807759891', '2807759892')}\n"
    valid, rejected = parsed(spark, "agg_trades", line(body, mode="archive"))

    assert rejected == []
    assert {row["agg_id"] for row in valid} == {2807759891, 2807759892}
    assert valid[0]["quote_quantity"] == Decimal("29.1756702")
    assert valid[0]["taker_side"] == "sell"
    assert valid[0]["source"] == "archive"


def test_a_header_is_no_row_and_line_ends_may_be_of_two_kinds(spark: SparkSession) -> None:
    body = f"{HEADER}\r\n{FUTURES_LINE}\r\n"
    valid, rejected = parsed(spark, "agg_trades", line(body, mode="archive", kind="usdm"))

    assert rejected == []
    assert [(row["agg_id"], row["taker_side"]) for row in valid] == [(3, "buy")]


def test_odd_archive_lines_are_refused_by_their_place(spark: SparkSession) -> None:
    odd = [
        SPOT_LINE,
        "not,a,line",
        SPOT_LINE.replace("42283.58000000", "42,283.58"),
        SPOT_LINE.replace("42283.58000000", "4e4"),
        "",
        HEADER,
        SPOT_LINE.replace("2807759891", "2807759892"),
    ]
    valid, rejected = parsed(spark, "agg_trades", line("\n".join(odd), mode="archive"))

    assert {row["agg_id"] for row in valid} == {2807759891, 2807759892}
    found = dict(refused(rejected))
    assert sorted(found) == [1, 2, 3, 4, 5]
    assert "columns_unexpected" in found[1]
    assert "columns_unexpected" in found[2]
    assert found[3] == ["price_not_a_plain_decimal"]
    assert "columns_unexpected" in found[4]
    assert "agg_id_not_an_integer" in found[5]
    assert rejected[2]["payload"] == odd[3]


def test_spot_archives_turn_to_microseconds_in_2025(spark: SparkSession) -> None:
    micros = SPOT_LINE.replace("1704067200000", "1756684800178247")
    valid, _ = parsed(spark, "agg_trades", line(micros, mode="archive"))

    assert valid[0]["exchange_timestamp"] == 1756684800178247
    assert valid[0]["trade_timestamp"] == datetime(2025, 9, 1, 0, 0, 0, 178247)


def test_a_unit_that_contradicts_its_source_is_a_fault(spark: SparkSession) -> None:
    odd = [("1735689599999999", "spot"), ("1735689600000", "spot"), ("1704067200000000", "usdm")]
    lines = [
        line(SPOT_LINE.replace("1704067200000", time), mode="archive", kind=kind, sequence=place)
        for place, (time, kind) in enumerate(odd, start=1)
    ]

    _, rejected = parsed(spark, "agg_trades", *lines)

    assert refused(rejected) == [(0, ["time_unit_unexpected"])] * 3


def test_the_last_millisecond_of_2024_and_the_first_microsecond_of_2025_are_sound(
    spark: SparkSession,
) -> None:
    times = ("1735689599999", "1735689600000000")
    body = "\n".join(SPOT_LINE.replace("1704067200000", time) for time in times)
    valid, rejected = parsed(spark, "agg_trades", line(body, mode="archive"))

    assert rejected == []
    assert sorted((row["year"], row["month"], row["day"]) for row in valid) == [
        (2024, 12, 31),
        (2025, 1, 1),
    ]


def test_coinm_is_worth_its_contracts(spark: SparkSession) -> None:
    perpetual = listing(
        kind="coinm",
        instrument="BTCUSD_PERP",
        base_unit="BTC",
        quote_unit="USD",
        contract_size=Decimal(100),
    )
    body = as_json([{**GOOD, "p": "19099.6", "q": "70"}])
    held = line(body, kind="coinm", instrument="BTCUSD_PERP")
    valid, _ = parsed(spark, "agg_trades", held, known=[perpetual])

    assert valid[0]["quote_quantity"] == Decimal(7000)
    assert (valid[0]["quantity_unit"], valid[0]["contract_size"]) == ("contract", Decimal(100))


def test_coinm_without_its_contract_size_is_refused(spark: SparkSession) -> None:
    _, rejected = parsed(spark, "agg_trades", line(f"[{as_json(GOOD)}]", kind="coinm"))

    assert refused(rejected) == [(0, ["instrument_unknown", "quote_quantity_not_computable"])]


def test_units_are_those_of_the_trades_time(spark: SparkSession) -> None:
    turned = datetime(2024, 1, 1, tzinfo=UTC)
    common = {"kind": "coinm", "base_unit": "BTC", "quote_unit": "USD"}
    old = listing(**common, contract_size=Decimal(10), valid_to=turned)
    new = listing(**common, contract_size=Decimal(100), valid_from=turned)
    times = (1498793709153, 1704067199999, 1704067200000)
    body = as_json([{**GOOD, "T": time, "q": "1"} for time in times])
    valid, _ = parsed(spark, "agg_trades", line(body, kind="coinm"), known=[new, old])

    worth = {row["exchange_timestamp"]: row["quote_quantity"] for row in valid}
    assert worth == {times[0]: 10, times[1]: 10, times[2]: 100}


def test_stream_frames_are_read_wrapped_or_not(spark: SparkSession) -> None:
    event = {**GOOD, "e": "aggTrade", "E": 1498793709200, "s": "BTCUSDT"}
    wrapped = as_json({"stream": "btcusdt@aggTrade", "data": {**event, "a": 26130}})
    valid, rejected = parsed(
        spark,
        "agg_trades",
        line(as_json(event), mode="live", status=0),
        line(wrapped, mode="live", status=0, sequence=2),
    )

    assert rejected == []
    assert sorted((row["agg_id"], row["source"]) for row in valid) == [
        (26129, "live"),
        (26130, "live"),
    ]


def test_a_row_of_another_instrument_than_asked_is_refused(spark: SparkSession) -> None:
    assert _beside_good(spark, as_json({**GOOD, "s": "ETHUSDT"})) == [(1, ["instrument_differs"])]


def test_the_day_is_the_same_in_a_new_york_session(spark: SparkSession) -> None:
    # 2023-12-31 23:59:59.999 and 2024-01-01 00:00:00 UTC
    body = as_json([{**GOOD, "T": time} for time in (1704067199999, 1704067200000)])
    spark.conf.set("spark.sql.session.timeZone", "America/New_York")
    try:
        valid, _ = parsed(spark, "agg_trades", line(body))
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")

    days = {row["exchange_timestamp"]: (row["year"], row["month"], row["day"]) for row in valid}
    assert days == {1704067199999: (2023, 12, 31), 1704067200000: (2024, 1, 1)}
