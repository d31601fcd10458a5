"""The history of listings: what a snapshot says, and what a row of snapshots comes to."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from lake import schemas
from tests.rows import as_json, line, read
from transform import instruments

SESSIONS = Path(__file__).parents[3] / "shared" / "data" / "reference" / "sessions_http_ws"
COINM = {
    "symbol": "BTCUSD_PERP",
    "contractStatus": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USD",
    "marginAsset": "BTC",
    "contractSize": 100,
    "deliveryDate": 4133404800000,
    "onboardDate": 1597042800000,
    "filters": [
        {"filterType": "PRICE_FILTER", "tickSize": "0.1"},
        {"filterType": "LOT_SIZE", "stepSize": "1"},
    ],
}
SPOT = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "filters": [
        {"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},
        {"filterType": "LOT_SIZE", "stepSize": "0.00001000"},
    ],
}
OPTION = (
    '{"kind":"option","instrument_name":"XRP_USDC-30JUN23-0d625-C","option_type":"call",'
    '"strike":0.625,"instrument_type":"linear","expiration_timestamp":1688112000000,'
    '"creation_timestamp":1685000000000,"is_active":true,"state":"open","tick_size":1.0e-4,'
    '"contract_size":1000.0,"instrument_id":77,"min_trade_amount":1000.0,'
    '"settlement_currency":"USDC","base_currency":"XRP","quote_currency":"USDC"}'
)
PERPETUAL = (
    '{"kind":"future","instrument_name":"BTC-PERPETUAL","instrument_type":"reversed",'
    '"expiration_timestamp":32503708800000,"creation_timestamp":1534167754000,'
    '"is_active":true,"tick_size":0.5,"contract_size":10.0,"instrument_id":124972,'
    '"min_trade_amount":10.0,"settlement_currency":"BTC","base_currency":"BTC",'
    '"quote_currency":"USD"}'
)


def _binance(symbols: list[Any], at_ms: int, **named: Any) -> str:
    body = as_json({"serverTime": at_ms, "symbols": symbols})
    return line(body, **{"dataset": "instruments", "instrument": "", "kind": "coinm", **named})


def _deribit(*listed: str, kind: str) -> str:
    body = '{"jsonrpc":"2.0","result":[' + ",".join(listed) + '],"usOut":1688000000000000}'
    return line(body, exchange="deribit", dataset="instruments", instrument="", kind=kind)


def _observed(spark: SparkSession, *lines: str) -> dict[str, Row]:
    rows = instruments.observed(read(spark, *lines)).collect()
    return {row["instrument"]: row for row in rows}


def test_each_kind_is_described_in_the_same_terms(spark: SparkSession) -> None:
    rows = _observed(
        spark,
        _binance([COINM], 1700000000000),
        _binance([SPOT], 1700000000000, kind="spot"),
        _deribit(OPTION, kind="option"),
        _deribit(PERPETUAL, kind="future"),
    )

    coinm, spot = rows["BTCUSD_PERP"], rows["BTCUSDT"]
    assert (coinm["direction"], coinm["quantity_unit"]) == ("inverse", "contract")
    assert (coinm["contract_size"], coinm["tick_size"]) == (Decimal(100), Decimal("0.1"))
    assert coinm["valid_from"] == datetime(2020, 8, 10, 7, 0)
    assert (coinm["valid_from_observed"], coinm["expiry"]) == (False, None)
    assert (spot["direction"], spot["quantity_unit"], spot["contract_size"]) == (
        "linear",
        "BTC",
        Decimal(1),
    )
    assert spot["lot_size"] == Decimal("0.00001")
    # spot gives no listing time: the exchange's clock of the answer stands in
    assert spot["valid_from"] == datetime(2023, 11, 14, 22, 13, 20)
    assert spot["valid_from_observed"] is True
    option, perpetual = rows["XRP_USDC-30JUN23-0d625-C"], rows["BTC-PERPETUAL"]
    assert (option["strike"], option["option_type"]) == (Decimal("0.625"), "call")
    assert option["tick_size"] == Decimal("0.0001")
    assert option["expiry"] == datetime(2023, 6, 30, 8)
    assert (option["instrument_uid"], option["quantity_unit"]) == ("77", "XRP")
    assert (perpetual["expiry"], perpetual["quantity_unit"]) == (None, "USD")
    assert perpetual["direction"] == "inverse"
    assert json.loads(perpetual["attributes"])["tick_size"] == 0.5
    assert option["attributes"] == OPTION


def _folded(spark: SparkSession, *snapshots: list[Any]) -> list[Row]:
    """Fold snapshots taken a day apart, from 2024-01-01 on."""
    start = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp()) * 1000
    held: DataFrame = spark.createDataFrame([], schemas.INSTRUMENTS)
    for day, symbols in enumerate(snapshots):
        answer = _binance(symbols, start + day * 86_400_000)
        folded = instruments.history(held, instruments.observed(read(spark, answer)))
        held = spark.createDataFrame(folded.collect(), schemas.INSTRUMENTS)
    return sorted(held.collect(), key=lambda row: (row["instrument"], row["valid_from"]))


def _day(number: int) -> datetime:
    return datetime(2024, 1, number)


def test_a_change_of_contract_closes_a_row_and_opens_another(spark: SparkSession) -> None:
    smaller = {**COINM, "contractSize": 10}

    before, after = _folded(spark, [COINM], [COINM], [smaller], [smaller])

    assert (before["contract_size"], before["valid_to"]) == (Decimal(100), _day(3))
    assert (before["delisted_at"], before["valid_from_observed"]) == (None, False)
    assert (after["contract_size"], after["valid_from"]) == (Decimal(10), _day(3))
    assert (after["valid_to"], after["valid_from_observed"]) == (None, True)
    assert before["instrument_uid"] == after["instrument_uid"] == "BTCUSD_PERP"


def test_a_name_that_vanishes_is_closed_and_gets_a_new_uid_when_it_returns(
    spark: SparkSession,
) -> None:
    other = {**COINM, "symbol": "ETHUSD_PERP"}
    relisted = {**COINM, "onboardDate": 1704240000000}

    gone, back, kept = _folded(spark, [COINM, other], [other], [relisted, other])

    assert (gone["valid_to"], gone["delisted_at"]) == (_day(2), _day(2))
    assert back["valid_from"] == _day(3)
    assert back["instrument_uid"] != gone["instrument_uid"]
    assert back["valid_to"] is None
    assert (kept["instrument"], kept["valid_to"]) == ("ETHUSD_PERP", None)


@pytest.mark.skipif(not SESSIONS.exists(), reason="the recorded sessions are not here")
def test_recorded_instruments_are_read_whole(spark: SparkSession) -> None:
    text = (SESSIONS / "DERIBIT.0").read_text(encoding="utf-8").splitlines()[0]
    body = text[text.index(": {") + 2 :]
    listed = {it["instrument_name"]: it for it in json.loads(body, parse_float=str)["result"]}
    answer = line(body, exchange="deribit", dataset="instruments", instrument="", kind="option")

    rows = _observed(spark, answer)

    assert set(rows) == set(listed)
    strikes = {name: row["strike"] for name, row in rows.items() if row["strike"] is not None}
    assert strikes == {name: Decimal(it["strike"]) for name, it in listed.items() if "strike" in it}
