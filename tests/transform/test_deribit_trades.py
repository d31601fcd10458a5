"""Deribit's trades: numbers to the digit, units by kind, off-book prints told apart."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from pyspark.sql import Row, SparkSession

from tests.rows import line, listing, parsed, refused

PERPETUAL = listing(
    exchange="deribit",
    kind="future",
    instrument="BTC-PERPETUAL",
    instrument_uid="124972",
    direction="inverse",
    base_unit="BTC",
    quote_unit="USD",
    quantity_unit="USD",
    contract_size=Decimal(10),
)
TRADE = (
    '{"timestamp":1766332040636,"price":87456.5,"amount":20.0,"direction":"sell",'
    '"index_price":87455.73,"instrument_name":"BTC-PERPETUAL","trade_seq":%d,'
    '"mark_price":87456.01,"tick_direction":0,"contracts":2.0,"trade_id":"284830839"}'
)


def _body(*trades: str) -> str:
    return (
        '{"jsonrpc":"2.0","result":{"trades":['
        + ",".join(trades)
        + '],"has_more":true},"usIn":1766332050000000,"usOut":1766332050000100,"testnet":false}'
    )


def _line(*trades: str, **named: object) -> str:
    return line(
        _body(*trades),
        **{
            "exchange": "deribit",
            "kind": "future",
            "dataset": "trades",
            "instrument": "BTC-PERPETUAL",
            **named,
        },
    )


def _trades(spark: SparkSession, *lines: str) -> tuple[dict[int, Row], list[Row]]:
    valid, rejected = parsed(spark, "trades", *lines, known=[PERPETUAL])
    return {row["trade_seq"]: row for row in valid}, rejected


def test_a_trade_of_an_inverse_future_counts_in_dollars(spark: SparkSession) -> None:
    rows, rejected = _trades(spark, _line(TRADE % 7))

    assert rejected == []
    row = rows[7]
    assert row["trade_id"] == "284830839"
    assert row["instrument_uid"] == "124972"
    assert (row["price"], row["quantity"]) == (Decimal("87456.5"), Decimal(20))
    assert row["quote_quantity"] == Decimal(20)
    assert row["quote_quantity_sent"] is None
    assert (row["quantity_unit"], row["base_unit"], row["quote_unit"]) == ("USD", "BTC", "USD")
    assert row["contract_size"] == Decimal(10)
    assert (row["taker_side"], row["print_kind"]) == ("sell", "book")
    assert (row["mark_price"], row["index_price"]) == (Decimal("87456.01"), Decimal("87455.73"))
    assert (row["iv"], row["liquidation"], row["combo_id"]) == (None, None, None)
    assert row["trade_timestamp"] == datetime(2025, 12, 21, 15, 47, 20, 636000)


def test_numbers_are_read_to_the_digit_or_refused(spark: SparkSession) -> None:
    exact = {
        "1.0e-5": Decimal("0.00001"),
        "1E-8": Decimal("0.00000001"),
        "2.5e3": Decimal(2500),
        "0.0000000001": Decimal("0.0000000001"),
        "87456.1234567890000000000000": Decimal("87456.123456789"),
        "9999999999.9999999999": Decimal("9999999999.9999999999"),
    }
    inexact = {
        "87456.123456789012345": "price_exceeds_decimal_20_10",
        "1e-11": "price_exceeds_decimal_20_10",
        "1.00000000000000000000001": "price_exceeds_decimal_20_10",
        "1e30": "price_exceeds_decimal_20_10",
        "1e999": "price_exceeds_decimal_20_10",
        '"87456.5"': "price_not_a_number",
        '"high"': "price_not_a_number",
        "true": "price_not_a_number",
        "[1]": "price_not_a_number",
        "null": "price_missing",
        "0": "price_not_positive",
        "-1.5": "price_not_positive",
    }
    texts = [*exact, *inexact]
    trades = [(TRADE % seq).replace("87456.5,", f"{text},") for seq, text in enumerate(texts)]

    rows, rejected = _trades(spark, _line(*trades))

    assert {seq: row["price"] for seq, row in rows.items()} == dict(enumerate(exact.values()))
    assert refused(rejected) == [
        (place, [reason]) for place, reason in enumerate(inexact.values(), start=len(exact))
    ]
    assert rejected[0]["payload"] == trades[len(exact)]


def test_odd_trades_are_refused_beside_good_ones(spark: SparkSession) -> None:
    odd = {
        '"direction":"sell"': ('"direction":"up"', ["taker_side_unknown"]),
        '"amount":20.0': ('"amount":-20.0', ["quantity_not_positive"]),
        '"mark_price":87456.01': ('"mark_price":"dear"', ["mark_price_not_a_number"]),
        '"trade_id":"284830839"': ('"other":1', ["trade_id_missing"]),
        '"timestamp":1766332040636': (
            '"timestamp":1766332040636000',
            ["time_unit_unexpected"],
        ),
        '"instrument_name":"BTC-PERPETUAL"': (
            '"instrument_name":"../ETH/PERPETUAL"',
            ["instrument_differs", "instrument_unknown"],
        ),
    }
    trades = [(TRADE % 5).replace(was, now) for was, (now, _) in odd.items()]

    rows, rejected = _trades(spark, _line(TRADE % 4, *trades, "17", TRADE % 6))

    assert sorted(rows) == [4, 6]
    found = refused(rejected)
    assert found[:-1] == list(enumerate([reasons for _, reasons in odd.values()], start=1))
    assert found[-1][0] == 7


def test_prints_off_the_book_are_told_apart(spark: SparkSession) -> None:
    tagged = {
        '"block_trade_id":"BLOCK-1",': "block",
        '"block_trade_id":"BLOCK-1","block_rfq_id":12,': "rfq",
        '"combo_id":"BTC-FS-25DEC26_PERP","combo_trade_id":"43",': "combo_leg",
        '"combo_trade_id":"43",': "combo_leg",
        '"liquidation":"T",': "book",
    }
    trades = [(TRADE % seq).replace("{", "{" + tags, 1) for seq, tags in enumerate(tagged)]

    rows, rejected = _trades(spark, _line(*trades))

    assert rejected == []
    assert {seq: row["print_kind"] for seq, row in rows.items()} == dict(enumerate(tagged.values()))
    assert rows[0]["block_trade_id"] == "BLOCK-1"
    assert rows[2]["combo_id"] == "BTC-FS-25DEC26_PERP"
    assert rows[4]["liquidation"] == "T"


def test_a_combo_may_be_free_or_cost_less_than_nothing(spark: SparkSession) -> None:
    name = "BTC-CS-19MAY26-70000_75000"
    trades = [
        (TRADE % seq).replace("87456.5,", f"{price},").replace("BTC-PERPETUAL", name)
        for seq, price in enumerate(("-0.0639", "0"))
    ]

    rows, rejected = _trades(spark, _line(*trades, kind="option_combo", instrument=name))

    assert rejected == []
    # base units: -0.0639 x 20
    assert {seq: row["quote_quantity"] for seq, row in rows.items()} == {
        0: Decimal("-1.278"),
        1: Decimal(0),
    }
    assert rows[0]["instrument_uid"] == name


def test_a_future_that_was_never_listed_is_refused(spark: SparkSession) -> None:
    valid, rejected = parsed(spark, "trades", _line(TRADE % 1))

    assert valid == []
    assert refused(rejected) == [(0, ["instrument_unknown"])]


def test_answers_of_many_instruments_and_stream_frames_are_read(spark: SparkSession) -> None:
    frame = (
        '{"jsonrpc":"2.0","method":"subscription","params":'
        '{"channel":"trades.BTC-PERPETUAL.100ms","data":[' + TRADE % 3 + "]}}"
    )
    live = line(
        frame,
        exchange="deribit",
        kind="future",
        dataset="trades",
        instrument="",
        mode="live",
        status=0,
        sequence=2,
    )

    rows, rejected = _trades(spark, _line(TRADE % 1, instrument=""), live)

    assert rejected == []
    assert {seq: (row["instrument"], row["source"]) for seq, row in rows.items()} == {
        1: ("BTC-PERPETUAL", "history"),
        3: ("BTC-PERPETUAL", "live"),
    }


def test_broken_answers_are_refused_whole_beside_a_good_one(spark: SparkSession) -> None:
    broken = {
        _body(TRADE % 1)[:-40]: "answer_not_understood",
        "<html></html>": "answer_not_understood",
        '{"jsonrpc":"2.0","error":{"code":10028,"message":"too_many_requests"}}': (
            "answer_is_an_error"
        ),
        '{"jsonrpc":"2.0","result":{}}': "answer_not_understood",
        '{"jsonrpc":"2.0","result":[]}': "answer_not_understood",
    }
    named = {"exchange": "deribit", "kind": "future", "dataset": "trades"}
    lines = [line(body, **named, sequence=place) for place, body in enumerate(broken, start=2)]

    rows, rejected = _trades(spark, _line(TRADE % 1), *lines, _line(sequence=9))

    assert sorted(rows) == [1]
    assert refused(rejected) == [(-1, [reason]) for reason in broken.values()]


def test_a_second_exchange_in_a_batch_is_no_matter(spark: SparkSession) -> None:
    spot = (
        '[{"id":28457,"price":"4.0","qty":"12.0","quoteQty":"48.0","time":1499865549590,'
        '"isBuyerMaker":true}]'
    )
    binance = line(spot, dataset="trades", end_download_timestamp=datetime(2024, 1, 1, tzinfo=UTC))

    rows, rejected = _trades(spark, _line(TRADE % 1), binance)

    assert rejected == []
    assert {row["exchange"] for row in rows.values()} == {"binance", "deribit"}
