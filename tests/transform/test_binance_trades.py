"""Binance's trades, from REST, the archive and the stream."""

from __future__ import annotations

from decimal import Decimal

from pyspark.sql import SparkSession

from tests.rows import as_json, line, listing, parsed, refused

SPOT = {
    "id": 28457,
    "price": "4.00000100",
    "qty": "12.00000000",
    "quoteQty": "48.000012",
    "time": 1499865549590,
    "isBuyerMaker": True,
    "isBestMatch": True,
}
USDM = {
    "id": 229020336,
    "price": "11494.06",
    "qty": "0.007",
    "quoteQty": "80.45",
    "time": 1602819641313,
    "isBuyerMaker": False,
}
COINM = {
    "id": 7857135,
    "price": "19100.5",
    "qty": "1",
    "baseQty": "0.00523547",
    "time": 1607294296479,
    "isBuyerMaker": True,
}
PERPETUAL = listing(
    kind="coinm",
    instrument="BTCUSD_PERP",
    base_unit="BTC",
    quote_unit="USD",
    contract_size=Decimal(100),
)


def test_each_kind_has_its_own_worth_and_keeps_what_was_sent(spark: SparkSession) -> None:
    lines = [
        line(as_json([SPOT]), dataset="trades"),
        line(as_json([USDM]), dataset="trades", kind="usdm", sequence=2),
        line(
            as_json([COINM]),
            dataset="trades",
            kind="coinm",
            instrument="BTCUSD_PERP",
            sequence=3,
        ),
    ]

    valid, rejected = parsed(spark, "trades", *lines, known=[PERPETUAL])

    assert rejected == []
    rows = {row["kind"]: row for row in valid}
    # spot: 4.000001 x 12; USD-M cuts its own at 2 decimals: 11494.06 x 0.007 = 80.45842
    assert rows["spot"]["quote_quantity"] == Decimal("48.000012")
    assert rows["spot"]["quote_quantity_sent"] == Decimal("48.000012")
    assert rows["usdm"]["quote_quantity"] == Decimal("80.45842")
    assert rows["usdm"]["quote_quantity_sent"] == Decimal("80.45")
    assert rows["coinm"]["quote_quantity"] == Decimal(100)
    assert rows["coinm"]["quote_quantity_sent"] is None
    assert {row["taker_side"] for row in (rows["spot"], rows["coinm"])} == {"sell"}
    assert rows["usdm"]["taker_side"] == "buy"
    assert {row["print_kind"] for row in valid} == {"book"}
    assert (rows["spot"]["trade_id"], rows["spot"]["trade_seq"]) == ("28457", 28457)


def test_odd_trades_are_refused_beside_good_ones(spark: SparkSession) -> None:
    odd: list[tuple[dict[str, object], str]] = [
        ({"price": "4,00"}, "price_not_a_plain_decimal"),
        ({"price": "-4"}, "price_not_positive"),
        ({"qty": "0"}, "quantity_not_positive"),
        ({"qty": "1E-3"}, "quantity_not_a_plain_decimal"),
        ({"quoteQty": "much"}, "quote_quantity_sent_not_a_plain_decimal"),
        ({"id": -1}, "trade_id_negative"),
        ({"id": None}, "trade_id_missing"),
        ({"time": "yesterday"}, "trade_time_not_an_integer"),
        ({"isBuyerMaker": "no"}, "buyer_is_maker_not_a_flag"),
    ]
    body = as_json([SPOT, *[{**SPOT, **change} for change, _ in odd], {**SPOT, "id": 28458}])

    valid, rejected = parsed(spark, "trades", line(body, dataset="trades"))

    assert sorted(row["trade_seq"] for row in valid) == [28457, 28458]
    assert refused(rejected) == [
        (place, [reason]) for place, (_, reason) in enumerate(odd, start=1)
    ]


def test_archive_lines_of_every_kind_are_read(spark: SparkSession) -> None:
    header = "id,price,qty,quote_qty,time,is_buyer_maker\n"
    bodies = {
        "spot": "28457,4.00000100,12.00000000,48.00001200,1499865549590,True,True\n",
        "usdm": header + "229020336,11494.06,0.007,80.45,1602819641313,false\n",
        "coinm": header + "7857135,19100.5,1,0.00523547,1607294296479,true\n",
    }
    lines = [
        line(body, dataset="trades", mode="archive", kind=kind, instrument="BTCUSD_PERP")
        for kind, body in bodies.items()
    ]

    valid, rejected = parsed(spark, "trades", *lines, known=[PERPETUAL])

    assert rejected == []
    worth = {row["kind"]: (row["quote_quantity"], row["quote_quantity_sent"]) for row in valid}
    assert worth == {
        "spot": (Decimal("48.000012"), Decimal("48.000012")),
        "usdm": (Decimal("80.45842"), Decimal("80.45")),
        "coinm": (Decimal(100), None),
    }


def test_stream_trades_tell_off_book_prints(spark: SparkSession) -> None:
    event = {
        "e": "trade",
        "E": 1723161257687,
        "T": 1723161257679,
        "s": "BTCUSDT",
        "t": 849714402,
        "p": "61804.8",
        "q": "4",
        "m": False,
    }
    said = {"MARKET": "book", "INSURANCE_FUND": "insurance_fund", "ADL": "adl", "NEW": "unknown"}
    lines = [
        line(
            as_json({"stream": "btcusdt@trade", "data": {**event, "X": word}}),
            dataset="trades",
            kind="usdm",
            mode="live",
            status=0,
            sequence=place,
        )
        for place, word in enumerate(said, start=1)
    ]

    valid, rejected = parsed(spark, "trades", *lines)

    assert rejected == []
    assert {row["bronze_line"]: row["print_kind"] for row in valid} == dict(
        enumerate(said.values(), start=1)
    )
    assert {row["exchange_timestamp"] for row in valid} == {1723161257679}
    assert {row["quote_quantity"] for row in valid} == {Decimal("247219.2")}


OLD_FRAME: dict[str, object] = {
    "e": "trade",
    "E": 1672515782136,
    "s": "BTCUSDT",
    "t": 12345,
    "p": "0.001",
    "q": "100",
    "b": 88,
    "a": 50,
    "T": 1672515782136,
    "m": True,
    "M": True,
}


def test_order_ids_of_older_stream_frames_are_kept(spark: SparkSession) -> None:
    """The frame is the example of binance-spot-api-docs before the ids were taken out."""
    new_frame = {key: value for key, value in OLD_FRAME.items() if key not in "ba"} | {"t": 12346}
    live = {"dataset": "trades", "mode": "live", "instrument": ""}
    lines = [
        line(as_json(OLD_FRAME), **live),
        line(as_json({"stream": "btcusdt@trade", "data": new_frame}), **live, sequence=2),
        line(as_json([SPOT]), dataset="trades", sequence=3),
        line(as_json({**OLD_FRAME, "t": 12347, "b": 2**59, "a": None}), **live, sequence=4),
    ]

    valid, rejected = parsed(spark, "trades", *lines)

    assert rejected == []
    ids = {row["trade_seq"]: (row["buyer_order_id"], row["seller_order_id"]) for row in valid}
    assert ids == {
        12345: (88, 50),
        12346: (None, None),
        28457: (None, None),
        12347: (576460752303423488, None),
    }
    first = next(row for row in valid if row["trade_seq"] == 12345)
    assert (first["instrument"], first["source"], first["taker_side"]) == (
        "BTCUSDT",
        "live",
        "sell",
    )


def test_an_order_id_that_is_no_integer_is_refused(spark: SparkSession) -> None:
    odd: tuple[dict[str, object], ...] = (
        {"b": "x"},
        {"a": 1.5},
        {"b": 10**18},
        {"a": {}},
        {"b": ""},
    )
    live = {"dataset": "trades", "mode": "live", "instrument": ""}
    lines = [
        line(as_json({**OLD_FRAME, **change}), **live, sequence=place)
        for place, change in enumerate(odd, start=1)
    ]

    valid, rejected = parsed(spark, "trades", *lines)

    assert valid == []
    reasons = {row["bronze_line"]: row["reasons"] for row in rejected}
    buyer, seller = (["buyer_order_id_not_an_integer"], ["seller_order_id_not_an_integer"])
    assert reasons == {1: buyer, 2: seller, 3: buyer, 4: seller, 5: buyer}
