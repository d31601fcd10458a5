"""Answers that the exchanges really gave are read without a fault."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.rows import line, listing, parsed

REFERENCE = Path(__file__).parents[3] / "shared" / "data" / "reference"
MOCKS = REFERENCE / "binance_rest_ws_mocks" / "http.json"
DERIBIT = REFERENCE / "deribit_bodies"
KINDS = {"/api/v3/": "spot", "/fapi/v1/": "usdm", "/dapi/v1/": "coinm"}
TAPES = REFERENCE / "trade_tapes"
ROUTES = {"aggTrades": "agg_trades", "trades": "trades", "klines": "klines"}


def _recorded(route: str) -> list[tuple[str, list[Any]]]:
    """Return the kind and the rows of each recorded page of a route."""
    routes = json.loads(MOCKS.read_text(encoding="utf-8"), parse_float=str)["routes"]
    return [
        (kind, answer["data"])
        for prefix, kind in KINDS.items()
        for answer in routes.get(prefix + route, {}).get("GET", [])
        if isinstance(answer["data"], list)
    ]


@pytest.mark.skipif(not MOCKS.exists(), reason="the recorded reference bodies are not here")
@pytest.mark.parametrize("route", sorted(ROUTES))
def test_recorded_pages_of_binance(spark: SparkSession, route: str) -> None:
    pages = _recorded(route)
    known = [listing(kind="coinm", contract_size=Decimal(100), base_unit="BTC", quote_unit="USD")]
    lines = [
        line(
            json.dumps(rows),
            dataset=ROUTES[route],
            kind=kind,
            request={"params": {"interval": "1d"}},
            sequence=place,
        )
        for place, (kind, rows) in enumerate(pages, start=1)
    ]

    valid, rejected = parsed(spark, ROUTES[route], *lines, known=known)

    # some of these recordings have lost the name of a field: "" stands where "m" was
    damaged = sum("" in row for _, rows in pages for row in rows if isinstance(row, dict))
    assert len(pages) > 2
    assert [row["reasons"] for row in rejected] == [["buyer_is_maker_missing"]] * damaged
    assert len(valid) == sum(len(rows) for _, rows in pages) - damaged


@pytest.mark.skipif(not DERIBIT.exists(), reason="the recorded reference bodies are not here")
def test_recorded_trades_of_deribit(spark: SparkSession) -> None:
    kinds = {
        "http_get_last_trades": "future",
        "http_get_last_trades_perpetual_with_combo_tags": "future",
        "http_get_last_trades_option_combo": "option_combo",
        "http_get_last_trades_future_combo": "future_combo",
        "http_get_last_trades_historical_combo": "option_combo",
        "ws_trades": "future",
    }
    bodies = [(DERIBIT / f"{name}.json").read_text(encoding="utf-8") for name in kinds]
    common = {"exchange": "deribit", "dataset": "trades", "instrument": ""}
    lines = [
        line(body, **common, kind=kind, sequence=place)
        for place, (body, kind) in enumerate(zip(bodies, kinds.values(), strict=True), start=1)
    ]
    documents = [json.loads(body, parse_float=str) for body in bodies]
    trades = [
        trade
        for document in documents
        for trade in (
            document["result"]["trades"] if "result" in document else document["params"]["data"]
        )
    ]
    known = [
        listing(
            exchange="deribit",
            kind=kind,
            instrument=name,
            direction="inverse",
            base_unit="BTC",
            quote_unit="USD",
        )
        for kind in ("future", "future_combo")
        for name in sorted({trade["instrument_name"] for trade in trades})
    ]

    valid, rejected = parsed(spark, "trades", *lines, known=known)

    assert rejected == []
    assert sorted(row["trade_id"] for row in valid) == sorted(it["trade_id"] for it in trades)


@pytest.mark.skipif(not TAPES.exists(), reason="the recorded stream frames are not here")
@pytest.mark.parametrize(
    ("tape", "kind", "instrument"),
    [
        ("spot_btcusdt_20240808.gz", "spot", "BTCUSDT"),
        ("cm_btcusd_perp_20240808.gz", "coinm", "BTCUSD_PERP"),
    ],
)
def test_recorded_frames_of_the_trade_stream(
    spark: SparkSession, tape: str, kind: str, instrument: str
) -> None:
    """The frames of 2024 carry no order ids any more."""
    with gzip.open(TAPES / tape, "rt", encoding="utf-8") as file:
        bodies = [text.partition(" ")[2].strip() for text in file if '@trade"' in text][:2000]
    common = {"dataset": "trades", "mode": "live", "instrument": "", "kind": kind}
    lines = [line(body, **common, sequence=place) for place, body in enumerate(bodies, start=1)]
    coinm = {"instrument": "BTCUSD_PERP", "contract_size": Decimal(100), "quote_unit": "USD"}

    valid, rejected = parsed(spark, "trades", *lines, known=[listing(kind="coinm", **coinm)])

    assert rejected == []
    sent = [json.loads(body, parse_float=str)["data"] for body in bodies]
    assert len(sent) > 500
    by_id = {row["trade_seq"]: row for row in valid}
    assert sorted(by_id) == sorted(frame["t"] for frame in sent)
    assert {row["instrument"] for row in valid} == {instrument}
    for frame in sent:
        row = by_id[frame["t"]]
        assert (row["price"], row["quantity"]) == (Decimal(frame["p"]), Decimal(frame["q"]))
        assert row["taker_side"] == ("sell" if frame["m"] else "buy")
        assert (row["buyer_order_id"], row["seller_order_id"]) == (None, None)
