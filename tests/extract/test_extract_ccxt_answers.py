"""CCXT reads raw answers of several shapes again, and no digit is lost on the way."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from extract.venues import ccxt_answers
from extract.venues.ccxt_answers import MARKET_FIELDS, Question, exchange_of, read_bars
from lake.errors import BronzeError
from tests.other_exchanges import MIDNIGHT

OPENED = str(MIDNIGHT)
#: 30 digits: a float holds 17.
LONG = "12345678901.1234567890123456789"


def question(exchange: str, instrument: str) -> Question:
    known: dict[str, Any] = dict.fromkeys(MARKET_FIELDS)
    market = known | {
        "id": instrument,
        "symbol": "BTC/USD",
        "base": "BTC",
        "quote": "USD",
        "type": "spot",
        "spot": True,
        "contract": False,
        "active": True,
    }
    return Question(exchange, market, "1m", MIDNIGHT, 100)


BODIES = {
    ("kraken", "XXBTZUSD"): (
        f'{{"error":[],"result":{{"XXBTZUSD":[[{MIDNIGHT // 1000},"1","{LONG}","1","2","2",'
        f'"{LONG}",23]],"last":1}}}}'
    ),
    ("bitstamp", "btcusd"): (
        f'{{"data":{{"pair":"BTC/USD","ohlc":[{{"timestamp":"{MIDNIGHT // 1000}","open":"1",'
        f'"high":"{LONG}","low":"1","close":"2","volume":"{LONG}"}}]}}}}'
    ),
    ("coinbaseexchange", "BTC-USD"): f"[[{MIDNIGHT // 1000},1,{LONG},1,2,{LONG}]]",
    ("gate", "BTC_USD"): (f'[["{MIDNIGHT // 1000}","7","2","{LONG}","1","1","{LONG}","true"]]'),
}


@pytest.mark.parametrize(("exchange", "instrument"), BODIES)
def test_each_shape_gives_the_six_numbers_as_they_were_sent(exchange: str, instrument: str) -> None:
    bars = read_bars(question(exchange, instrument), BODIES[exchange, instrument])

    assert bars == [(OPENED, "1", LONG, "1", "2", LONG)]


def test_an_exponent_is_written_out_and_what_is_no_number_stays() -> None:
    body = f'[[{MIDNIGHT // 1000},1e-7,1.50E+2,"",null,0.10]]'

    assert read_bars(question("coinbaseexchange", "BTC-USD"), body) == [
        (OPENED, None, "150", "0.0000001", None, "0.10")
    ]


@pytest.mark.parametrize(
    "body",
    [
        "<html>",
        "",
        '{"error":["EGeneral:Too many requests"]}',
        '{"error":["EQuery:Unknown asset pair"]}',
        '{"error":[],"result":{"XXBTZUSD":[[NaN]]}}',
    ],
)
def test_an_answer_that_is_an_error_gives_no_bars(body: str) -> None:
    with pytest.raises(BronzeError, match="CCXT can't read an answer of kraken"):
        read_bars(question("kraken", "XXBTZUSD"), body)


def test_an_answer_that_was_read_leaves_nothing_for_the_next() -> None:
    asked = question("kraken", "XXBTZUSD")
    empty = '{"error":[],"result":{"XXBTZUSD":[],"last":1}}'

    assert [len(read_bars(asked, body)) for body in (BODIES["kraken", "XXBTZUSD"], empty)] == [1, 0]


def test_a_float_of_ccxts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = ccxt_answers.Reader("kraken", {})
    monkeypatch.setattr(reader._exchange, "number", float)
    received = ccxt_answers.Received(BODIES["kraken", "XXBTZUSD"])

    with pytest.raises(ValueError, match="CCXT made float of a number"):
        reader.bars(question("kraken", "XXBTZUSD"), received)


def test_a_question_is_read_back_from_an_envelope() -> None:
    asked = question("kraken", "XXBTZUSD")
    request = json.dumps({"method": "GET", "ccxt": asked.recorded()})

    assert Question.of(request) == asked
    for other in ('{"method":"GET"}', "no JSON", '{"ccxt":{"exchange":"kraken"}}'):
        with pytest.raises(BronzeError, match="does not say how CCXT was asked"):
            Question.of(other)


def test_every_exchange_that_gives_bars_can_be_made() -> None:
    """No class of CCXT's refuses our session, our numbers or our JSON."""
    for name in ("kraken", "bitstamp", "okx", "bybit", "kucoin", "bitfinex", "coinbase", "htx"):
        exchange = exchange_of(name, {}, requests.Session())
        assert exchange.parse_number("0.1") == "0.1"
        assert exchange.parse_json("[0.10]") == ["0.10"]
