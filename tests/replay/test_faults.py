from __future__ import annotations

import time
from typing import Any

import pytest
import requests

from extract.replay.exchange import ReplayExchange
from extract.replay.faults import Fault
from lake.errors import UsageError
from tests.replay.asking import Asking, exact

FIRST_ID = 1_692_296_325
PAGE: dict[str, Any] = {"symbol": "ETHUSDT", "fromId": FIRST_ID, "limit": 5}


def ordered(own_exchange: ReplayExchange, ask: Asking, fault: Fault) -> requests.Response:
    own_exchange.order(fault)
    return ask.get(f"{ask.urls.spot}/api/v3/aggTrades", **PAGE)


def spoilt_row(own_exchange: ReplayExchange, ask: Asking, kind: str) -> Any:
    """Return the row in the middle of a page of five, spoilt, next to the sound one."""
    sound = ask.spot("aggTrades", **PAGE)
    page = exact(ordered(own_exchange, ask, Fault(kind)))
    assert [row for place, row in enumerate(page) if place != 2] == [*sound[:2], *sound[3:]]
    return page[2], sound[2]


def test_rate_limit_says_when_to_come_back(own_exchange: ReplayExchange, own_ask: Asking) -> None:
    response = ordered(own_exchange, own_ask, Fault("rate_limited", retry_after=7))

    assert (response.status_code, response.headers["Retry-After"]) == (429, "7")
    assert response.json()["code"] == -1003


def test_ban_is_418(own_exchange: ReplayExchange, own_ask: Asking) -> None:
    response = ordered(own_exchange, own_ask, Fault("banned", retry_after=120))

    assert (response.status_code, response.headers["Retry-After"]) == (418, "120")


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_server_error(own_exchange: ReplayExchange, own_ask: Asking, status: int) -> None:
    response = ordered(own_exchange, own_ask, Fault("server_error", status=status))

    assert response.status_code == status


def test_html_comes_with_status_200(own_exchange: ReplayExchange, own_ask: Asking) -> None:
    response = ordered(own_exchange, own_ask, Fault("html"))

    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/html")
    assert response.text.startswith("<html>")


def test_error_object_comes_with_status_200(own_exchange: ReplayExchange, own_ask: Asking) -> None:
    response = ordered(own_exchange, own_ask, Fault("error_object"))

    assert (response.status_code, response.json()["code"]) == (200, -1000)


def test_deribit_errors_are_in_its_own_form(own_exchange: ReplayExchange, own_ask: Asking) -> None:
    own_exchange.order(Fault("error_object"), Fault("rate_limited"))

    error = own_ask.deribit("get_time")
    refused = own_ask.deribit("get_time")

    assert (error["error"]["code"], refused["error"]["code"]) == (11094, 10028)


def test_stall_outlasts_the_client(own_exchange: ReplayExchange, own_ask: Asking) -> None:
    own_exchange.order(Fault("stall", seconds=30))

    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{own_ask.urls.spot}/api/v3/time", timeout=0.3)


def test_end_of_a_test_does_not_wait_for_a_stall() -> None:
    with ReplayExchange() as exchange:
        exchange.order(Fault("stall", seconds=30))
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{exchange.urls.spot}/api/v3/time", timeout=0.3)
        leaving = time.monotonic()

    assert time.monotonic() - leaving < 5


def test_cut_body_breaks_the_connection(own_exchange: ReplayExchange, own_ask: Asking) -> None:
    own_exchange.order(Fault("cut_body"))

    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        own_ask.get(f"{own_ask.urls.spot}/api/v3/aggTrades", **PAGE)


def test_half_body_is_no_json(own_exchange: ReplayExchange, own_ask: Asking) -> None:
    response = ordered(own_exchange, own_ask, Fault("half_body"))

    assert response.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        response.json()


@pytest.mark.parametrize(
    ("path", "empty"),
    [
        ("binance/spot/api/v3/aggTrades?symbol=ETHUSDT", []),
        ("binance/usdm/fapi/v1/klines?symbol=BTCUSDT&interval=1m", []),
    ],
)
def test_empty_page(
    own_exchange: ReplayExchange, own_ask: Asking, path: str, empty: list[Any]
) -> None:
    own_exchange.order(Fault("empty_page"))

    assert own_ask.get(f"{own_ask.urls.root}/{path}").json() == empty


def test_empty_page_of_deribit(own_exchange: ReplayExchange, own_ask: Asking) -> None:
    own_exchange.order(Fault("empty_page", times=2))
    window = {"start_timestamp": 1_723_161_360_000, "end_timestamp": 1_723_162_200_000}

    page = own_ask.deribit("get_last_trades_by_instrument", instrument_name="BTC-PERPETUAL")
    bars = own_ask.deribit(
        "get_tradingview_chart_data", instrument_name="BTC-PERPETUAL", resolution="1", **window
    )

    assert page["result"]["trades"] == []
    assert (bars["result"]["status"], bars["result"]["ticks"]) == ("no_data", [])


def test_page_comes_twice(own_exchange: ReplayExchange, own_ask: Asking) -> None:
    own_exchange.order(Fault("duplicated_page", after=1))

    first = own_ask.spot("aggTrades", **PAGE)
    again = own_ask.spot("aggTrades", symbol="ETHUSDT", fromId=FIRST_ID + 5, limit=5)
    third = own_ask.spot("aggTrades", symbol="ETHUSDT", fromId=FIRST_ID + 5, limit=5)

    assert again == first
    assert third[0]["a"] == FIRST_ID + 5


def test_rows_come_in_the_wrong_order(own_exchange: ReplayExchange, own_ask: Asking) -> None:
    page = exact(ordered(own_exchange, own_ask, Fault("reversed_page")))

    assert [row["a"] for row in page] == [FIRST_ID + step for step in (4, 3, 2, 1, 0)]


def test_clock_is_off_for_one_answer(own_exchange: ReplayExchange, own_ask: Asking) -> None:
    own_exchange.order(Fault("clock_skew", seconds=-3600))
    url = f"{own_ask.urls.spot}/api/v3/time"

    skewed, sound = own_ask.get(url), own_ask.get(url)

    assert skewed.json()["serverTime"] == sound.json()["serverTime"] - 3_600_000
    assert skewed.headers["Date"] == "Mon, 01 Sep 2025 23:00:00 GMT"


def test_unknown_field_in_every_row(own_exchange: ReplayExchange, own_ask: Asking) -> None:
    page = exact(ordered(own_exchange, own_ask, Fault("unknown_field")))

    assert [row["unheardOf"] for row in page] == [{"nested": [1, "x"]}] * 5


def test_missing_field_in_one_row(own_exchange: ReplayExchange, own_ask: Asking) -> None:
    row, sound = spoilt_row(own_exchange, own_ask, "missing_field")

    assert set(sound) - set(row) == {"p"}


def test_field_to_miss_may_be_named(own_exchange: ReplayExchange, own_ask: Asking) -> None:
    page = exact(ordered(own_exchange, own_ask, Fault("missing_field", field="T", row=0)))

    assert ["T" in row for row in page] == [False, True, True, True, True]


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("bad_price", "p", "12,5x"),
        ("exponent", "p", "1.5E-7"),
        ("too_big", "p", "123456789012345678901234567890.5"),
        ("zero_quantity", "q", "0.00000000"),
        ("negative_quantity", "q", "-0.00120000"),
        ("future_time", "T", 1_756_684_800_316 + 315_576_000_000),
    ],
)
def test_one_value_of_one_row_is_bad(
    own_exchange: ReplayExchange, own_ask: Asking, kind: str, field: str, value: object
) -> None:
    row, sound = spoilt_row(own_exchange, own_ask, kind)

    assert row == {**sound, field: value}


def test_bad_values_of_deribit_stay_json_numbers(
    own_exchange: ReplayExchange, own_ask: Asking
) -> None:
    url = f"{own_ask.urls.deribit}/api/v2/public/get_last_trades_by_instrument"
    own_exchange.order(Fault("exponent"), Fault("bad_price"))

    exponent, text = (own_ask.get(url, instrument_name="BTC-PERPETUAL").text for _ in range(2))

    assert '"price":1.5E-7,' in exponent
    assert '"price":"12,5x",' in text


def test_one_id_comes_twice_with_another_price(
    own_exchange: ReplayExchange, own_ask: Asking
) -> None:
    page = exact(ordered(own_exchange, own_ask, Fault("same_id")))

    assert [row["a"] - FIRST_ID for row in page] == [0, 1, 2, 2, 3, 4]
    assert page[3] == {**page[2], "p": "1" + page[2]["p"]}


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("binance/spot/api/v3/exchangeInfo", "symbol"),
        ("deribit/api/v2/public/get_instruments?currency=any", "instrument_name"),
    ],
)
def test_discovery_lists_a_name_that_could_leave_its_folder(
    own_exchange: ReplayExchange, own_ask: Asking, path: str, field: str
) -> None:
    own_exchange.order(Fault("bad_name", row=0, name="../../etc/passwd"))

    document = own_ask.get(f"{own_ask.urls.root}/{path}").json()

    listed = document["symbols"] if "symbols" in document else document["result"]
    assert listed[0][field] == "../../etc/passwd"


def test_bar_is_spoilt_by_position(own_exchange: ReplayExchange, own_ask: Asking) -> None:
    own_exchange.order(Fault("bad_price", row=0), Fault("negative_quantity", row=0))
    ask_bar: dict[str, Any] = {"symbol": "BTCUSDT", "interval": "1h", "limit": 1}

    assert own_ask.spot("klines", **ask_bar)[0][1] == "12,5x"
    assert own_ask.spot("klines", **ask_bar)[0][5] == "-3475.97051000"


def test_faults_come_in_order_and_as_often_as_ordered(
    own_exchange: ReplayExchange, own_ask: Asking
) -> None:
    own_exchange.order(
        Fault("server_error", path="*/aggTrades", times=2, after=1),
        Fault("rate_limited", path="*/time"),
    )
    url = f"{own_ask.urls.spot}/api/v3"

    pages = [own_ask.get(f"{url}/aggTrades", **PAGE).status_code for _ in range(4)]
    times = [own_ask.get(f"{url}/time").status_code for _ in range(2)]

    assert (pages, times) == ([200, 502, 502, 200], [429, 200])
    assert own_exchange.faults_left() == []


def test_fault_is_ordered_and_counted_over_http(own_ask: Asking) -> None:
    desk = f"{own_ask.urls.root}/replay/faults"
    fault = {"segment": "binance/*", "path": "*/time", "kind": "html", "times": 2}
    requests.post(desk, json=[fault], timeout=20)

    own_ask.get(f"{own_ask.urls.usdm}/fapi/v1/time")

    state = requests.get(desk, timeout=20).json()
    assert (state["served"], state["left"][0]["times"]) == (1, 1)
    assert requests.delete(desk, timeout=20).json()["left"] == []


@pytest.mark.parametrize("body", ['[{"kind": "nope"}]', '[{"kin": "html"}]', "{}", "["])
def test_fault_that_can_not_be_is_refused(own_ask: Asking, body: str) -> None:
    response = requests.post(f"{own_ask.urls.root}/replay/faults", data=body, timeout=20)

    assert response.status_code == 400
    assert "error" in response.json()


def test_unknown_kind_is_refused_in_python() -> None:
    with pytest.raises(UsageError, match="no fault `nope`"):
        Fault("nope")


def test_requests_are_counted(own_exchange: ReplayExchange, own_ask: Asking) -> None:
    own_exchange.order(Fault("server_error", path="*/time"))
    for _ in range(3):
        own_ask.get(f"{own_ask.urls.spot}/api/v3/time")
    own_ask.get(f"{own_ask.urls.deribit}/api/v2/public/get_time", x="1")

    state = own_ask.get(f"{own_ask.urls.root}/replay/requests").json()

    assert own_exchange.requests.count() == 4
    assert own_exchange.requests.count("binance/spot", "*/time") == 3
    assert state["by_path"] == {
        "binance/spot/api/v3/time": 3,
        "deribit/api/v2/public/get_time": 1,
    }
    assert [r["status"] for r in state["last"]] == [502, 200, 200, 200]
    assert (state["last"][0]["fault"], state["last"][3]["query"]) == ("server_error", "x=1")
