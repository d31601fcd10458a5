"""`/api/v1/{exchange}/`, `latest`, `filter`: a ticker's history, paged, cut and streamed."""

from __future__ import annotations

import csv
import io
import time
from typing import Any

import httpx
import orjson
import pytest

from tests.serve_api.conftest import Running
from tests.serve_api.listed import ListedRepository
from tests.serve_api.market import (
    BEGIN,
    BTC_USD,
    DAY,
    EMPTY,
    MINUTE,
    MINUTES,
    NASTY,
    minute_bar,
    price_at,
)


def row(minute: int) -> dict[str, Any]:
    price = price_at(minute)._asdict()
    return {"time": price.pop("minute"), **price}


def test_an_index_has_its_prices_in_pages(api: Running) -> None:
    first = api.json("/api/v1/deribit/", ticker="btc_usd")
    then = api.json("/api/v1/deribit/", ticker="btc_usd", cursor=first["next_cursor"], limit=10000)

    assert first["series_type"] == "index"
    assert len(first["prices"]) == 1000
    assert first["prices"] + then["prices"] == [row(minute) for minute in range(MINUTES)]
    assert then["next_cursor"] is None


def test_an_instrument_has_its_minutes(api: Running) -> None:
    answer = api.json("/api/v1/deribit/", ticker="BTC-PERPETUAL", order="desc", limit=2)

    assert answer["series_type"] == "bars"
    assert [bar["close"] for bar in answer["bars"]] == [minute_bar(2).close, minute_bar(1).close]


def test_the_path_works_without_its_last_slash(api: Running) -> None:
    assert api.json("/api/v1/deribit", ticker="btc_usd", limit=1)["prices"] == [row(0)]


def test_latest_is_the_newest_minute(api: Running) -> None:
    price = api.json("/api/v1/deribit/latest", ticker="btc_usd")
    bar = api.json("/api/v1/binance/latest", ticker="BTCUSDT", kind="spot")

    assert price["price"] == row(MINUTES - 1)
    assert bar["bar"]["close"] == minute_bar(MINUTES - 1).close
    assert bar["complete_until"] == BEGIN + 2 * DAY


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        ("2024-01-02", None, 1440, 2879),
        (None, "2024-01-01", 0, 1439),
        ("2024-01-01", "2024-01-01", 0, 1439),
        ("2024-01-01T00:01:00Z", "2024-01-01T00:03:00Z", 1, 2),
        ("2024-01-01T01:01:00+01:00", "2024-01-01T00:03:00", 1, 2),
        ("2024-01-01T01:01:00 01:00", "2024-01-01T00:03:00", 1, 2),
        ("1704067260", "1704067380", 1, 2),
        ("1704067260000", "1704067380000", 1, 2),
        ("1704067260001", "1704067380001", 2, 3),
        ("20240102", None, 1440, 2879),
    ],
)
def test_filter_takes_dates_iso_and_unix_times(
    api: Running, start: str | None, end: str | None, first: int, last: int
) -> None:
    asked = {"start_date": start, "end_date": end}
    span = {name: value for name, value in asked.items() if value}

    answer = api.json("/api/v1/deribit/filter", ticker="btc_usd", limit=10000, **span)

    expected = [price_at(minute).minute for minute in range(first, last + 1)]
    assert [price["time"] for price in answer["prices"]] == expected


@pytest.mark.parametrize(
    ("path", "asked", "status", "words"),
    [
        ("/api/v1/deribit/", {}, 422, "`ticker` is required"),
        ("/api/v1/deribit/latest", {}, 422, "`ticker` is required"),
        ("/api/v1/deribit/filter", {"start_date": "2024-01-01"}, 422, "`ticker` is required"),
        ("/api/v1/deribit/filter", {"ticker": "btc_usd"}, 422, "`start_date` or `end_date`"),
        ("/api/v1/deribit/", {"ticker": "btc_eur"}, 404, "btc_usd (index)"),
        ("/api/v1/kraken/", {"ticker": "btc_usd"}, 404, "'kraken'"),
        (
            "/api/v1/deribit/filter",
            {"ticker": "btc_usd", "start_date": "2024-13-01"},
            422,
            "`start_date` can't be read (was '2024-13-01')",
        ),
        (
            "/api/v1/deribit/filter",
            {"ticker": "btc_usd", "end_date": "soon"},
            422,
            "`end_date` can't be read (was 'soon')",
        ),
        (
            "/api/v1/deribit/filter",
            {"ticker": "btc_usd", "start_date": "2024-01-02", "end_date": "2024-01-01"},
            422,
            "`end_date` is not after `start_date`",
        ),
        ("/api/v1/binance/latest", {"ticker": "btcusdt"}, 409, "kind=: spot, usdm"),
        ("/api/v1/deribit/latest", {"ticker": NASTY}, 404, "has no rows yet"),
        ("/api/v1/deribit/", {"ticker": "btc_usd", "stream": "1", "limit": "5"}, 422, "`limit`"),
    ],
)
def test_what_is_asked_badly_is_told(
    api: Running, path: str, asked: dict[str, str], status: int, words: str
) -> None:
    answer = api.get(path, **asked)

    assert answer.status_code == status
    error = answer.json()["error"]
    assert words in f"{error['message']} {error['hint']}"


def test_a_stream_has_every_row_as_lines(api: Running) -> None:
    answer = api.get("/api/v1/deribit/", ticker="btc_usd", stream="true")

    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [orjson.loads(line) for line in answer.content.splitlines()]
    assert lines == [row(minute) for minute in range(MINUTES)]


def test_a_stream_of_bars_is_read_in_blocks_and_has_one_header(
    api: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve.api.history.STREAM_ROWS", 700)

    answer = api.get("/api/v1/binance/", ticker="BTCUSDT", kind="spot", stream=True, format="csv")

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    expected = [minute_bar(minute) for minute in range(MINUTES) if minute not in EMPTY]
    assert [row["close"] for row in rows] == [bar.close or "" for bar in expected]
    assert rows[0]["is_complete"] == "true"


def test_a_stream_of_nothing_is_empty(api: Running) -> None:
    answer = api.get(
        "/api/v1/deribit/filter", ticker="btc_usd", start_date="2030-01-01", stream="true"
    )

    assert (answer.status_code, answer.content) == (200, b"")


def test_a_stream_that_loses_its_database_is_cut_and_not_ended(
    api: Running, repository: ListedRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client can tell: the last chunk, which says that the answer is whole, never comes."""
    monkeypatch.setattr("serve.api.history.STREAM_ROWS", 100)
    # more than lies between server and client: nothing is read, so the server can't come to its end
    repository.prices[BTC_USD] = repository.prices[BTC_USD] * 200
    with api.client.stream(
        "GET", "/api/v1/deribit/", params={"ticker": "btc_usd", "stream": "true"}
    ) as answer:
        assert answer.status_code == 200
        repository.is_gone = True

        with pytest.raises(httpx.RemoteProtocolError):
            answer.read()


def test_so_many_streams_run_at_once_and_each_that_ends_makes_room(
    api: Running, repository: ListedRepository
) -> None:
    serving = api.api.app.state.serving
    asked = {"ticker": "btc_usd", "stream": "true"}
    serving.streams = 39

    def has_room() -> bool:
        """Tell whether the room is there again, right after an answer or a little later."""
        until = time.monotonic() + 10
        while serving.streams != 39 and time.monotonic() < until:
            time.sleep(0.01)
        return bool(serving.streams == 39)

    assert api.get("/api/v1/deribit/", **asked).status_code == 200
    assert has_room()
    assert api.get("/api/v1/deribit/", **{**asked, "ticker": "none"}).status_code == 404
    assert has_room()
    serving.streams = 40
    refused = api.get("/api/v1/deribit/", **asked)

    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "busy")
    assert refused.headers["retry-after"] == "2"


def test_a_day_ends_before_the_next(api: Running) -> None:
    answer = api.json(
        "/api/v1/binance/filter",
        ticker="BTCUSDT",
        kind="spot",
        end_date="2024-01-01",
        order="desc",
        limit=1,
    )

    assert answer["bars"][0]["time"] == BEGIN + DAY - MINUTE
