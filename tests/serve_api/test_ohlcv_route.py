"""`/api/v1/ohlcv`: exact rows, pages, labels, columns, as-of, filled; and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from serve.api.bars import DEFAULT_COLUMNS
from serve.records import Bar
from tests.serve_api.conftest import Running
from tests.serve_api.listed import ListedRepository
from tests.serve_api.market import (
    BEGIN,
    DAY,
    EMPTY,
    MINUTE,
    MINUTES,
    OFF_BOOK,
    QUIET,
    QUIET_BEHIND,
    SPOT,
    UNKNOWN,
    minute_bar,
)

BTCUSDT = {"exchange": "binance", "kind": "spot", "instrument": "BTCUSDT"}
URL = "/api/v1/ohlcv"


def as_sent(bar: Bar) -> dict[str, Any]:
    """Return a bar as the default columns show it."""
    held = {**bar._asdict(), "time": bar.bar_start}
    return {name: held[name] for name in DEFAULT_COLUMNS}


def pages(api: Running, **asked: Any) -> Sequence[dict[str, Any]]:
    """Return every row of a range, page by page."""
    rows: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = api.json(URL, **BTCUSDT, **asked, **cursor)
        rows += page["bars"]
        if page["next_cursor"] is None:
            return rows
        cursor = {"cursor": page["next_cursor"]}


def test_the_answer_says_what_it_is_and_has_the_very_bars(api: Running) -> None:
    answer = api.json(URL, **BTCUSDT, limit=2)

    bars = answer.pop("bars")
    cursor = answer.pop("next_cursor")
    assert answer == {
        **BTCUSDT,
        "interval": "1m",
        "label": "start",
        "filled": False,
        "complete_until": BEGIN + MINUTES * MINUTE,
        "publication": 1,
        "columns": list(DEFAULT_COLUMNS),
    }
    assert bars == [as_sent(minute_bar(0)), as_sent(minute_bar(1))]
    assert isinstance(cursor, str)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1000, 999, 1437])
def test_pages_hold_every_bar_once_and_in_order(api: Running, order: str, limit: int) -> None:
    rows = pages(api, order=order, limit=limit)

    expected = [as_sent(minute_bar(minute)) for minute in range(MINUTES) if minute not in EMPTY]
    assert rows == (expected if order == "asc" else expected[::-1])


def test_a_page_that_is_just_full_is_the_last(api: Running) -> None:
    answer = api.json(URL, **BTCUSDT, start=BEGIN, end=BEGIN + 5 * MINUTE, limit=5)

    assert len(answer["bars"]) == 5
    assert answer["next_cursor"] is None


def test_the_start_is_in_and_the_end_is_out(api: Running) -> None:
    answer = api.json(URL, **BTCUSDT, start=BEGIN + MINUTE, end=BEGIN + 3 * MINUTE)

    assert [bar["time"] for bar in answer["bars"]] == [BEGIN + MINUTE, BEGIN + 2 * MINUTE]


def test_a_bare_end_date_is_the_whole_day(api: Running) -> None:
    rows = pages(api, start="2024-01-02", end="2024-01-02")

    assert (rows[0]["time"], rows[-1]["time"]) == (BEGIN + DAY, BEGIN + 2 * DAY - MINUTE)


def test_a_label_is_the_end_where_it_is_asked_for(api: Running) -> None:
    answer = api.json(URL, **BTCUSDT, label="end", limit=1)

    assert answer["bars"][0]["time"] == BEGIN + MINUTE
    assert answer["label"] == "end"


def test_columns_are_those_asked_for_in_their_order(api: Running) -> None:
    columns = "revision, close,bar_end,knowledge_us"
    answer = api.json(URL, **BTCUSDT, start=BEGIN + MINUTE, limit=1, columns=columns)

    assert list(answer["bars"][0].items()) == [
        ("revision", 1),
        ("close", "42283.64"),
        ("bar_end", BEGIN + 2 * MINUTE),
        ("knowledge_us", (BEGIN + 2 * MINUTE + 5000) * 1000),
    ]


def test_a_single_column_is_a_column(api: Running) -> None:
    assert api.json(URL, **BTCUSDT, limit=1, columns="close")["bars"] == [{"close": "42283.63"}]


def test_another_interval_has_its_own_bars(api: Running) -> None:
    answer = api.json(URL, **BTCUSDT, interval="1h", limit=2, order="desc")

    assert answer["bars"] == [as_sent(minute_bar(47, "1h")), as_sent(minute_bar(46, "1h"))]


def test_as_of_gives_what_was_known_then(api: Running) -> None:
    asked = {**BTCUSDT, "end": BEGIN + MINUTE, "columns": "close,revision"}

    early = api.json(URL, **asked, as_of="2024-01-01T12:00:00Z")["bars"]
    late = api.json(URL, **asked, as_of="2024-01-02T00:00:00Z")["bars"]
    never = api.json(URL, **asked, as_of="2024-01-01T00:01:04.999999Z")["bars"]

    assert early == [{"close": "1", "revision": 1}]
    assert late == [{"close": "42283.63", "revision": 2}]
    assert never == []


def expected_filled() -> list[dict[str, Any]]:
    """Return the first day's slots, from the definition: each state by hand."""
    rows = []
    for minute in range(1440):
        if minute in QUIET:
            flat = minute_bar(QUIET.start - 1).close
            rows.append(empty(minute, flat))
        elif minute in UNKNOWN or minute in QUIET_BEHIND:
            rows.append(empty(minute, None))
        elif minute == OFF_BOOK:
            flat = minute_bar(OFF_BOOK - 1).close
            prices = dict.fromkeys(("open", "high", "low", "close"), flat)
            rows.append({**as_sent(minute_bar(minute)), **prices})
        else:
            rows.append(as_sent(minute_bar(minute)))
    return rows


def empty(minute: int, price: str | None) -> dict[str, Any]:
    return {
        "time": BEGIN + minute * MINUTE,
        **dict.fromkeys(("open", "high", "low", "close"), price),
        **dict.fromkeys(("volume", "base_volume", "quote_volume"), "0"),
        "trade_count": 0,
        "is_complete": price is not None,
        "is_filled": price is not None,
    }


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 7, 1440, 10000])
def test_filled_bars_are_the_same_however_they_are_paged(
    api: Running, order: str, limit: int
) -> None:
    """With small pages every state begins a page once: what is carried comes from before it."""
    first, last = (95, 310) if limit < 100 else (0, 1440)
    span = {"start": BEGIN + first * MINUTE, "end": BEGIN + last * MINUTE}

    rows = pages(api, filled="true", order=order, limit=limit, **span)

    expected = expected_filled()[first:last]
    assert rows == (expected if order == "asc" else expected[::-1])


def test_filled_bars_end_where_the_series_is_complete(
    api: Running, repository: ListedRepository
) -> None:
    rows = pages(api, filled="true", limit=10000, start=BEGIN + 1439 * MINUTE, end="2030-01-01")

    assert rows[-1]["time"] == BEGIN + (MINUTES - 1) * MINUTE
    assert len(rows) == 1441


def test_a_start_within_a_bar_begins_at_the_next_slot(api: Running) -> None:
    rows = pages(api, filled="true", start=BEGIN + 100 * MINUTE + 1, end=BEGIN + 102 * MINUTE)

    assert [row["time"] for row in rows] == [BEGIN + 101 * MINUTE]


def test_a_quiet_bar_is_as_complete_as_the_one_before(
    api: Running, repository: ListedRepository
) -> None:
    place = QUIET.start - 1
    bars = repository.bars_held[SPOT, "1m"]
    bars[place] = bars[place]._replace(is_complete=False)

    rows = pages(api, filled="true", start=BEGIN + 100 * MINUTE, end=BEGIN + 103 * MINUTE)

    assert [(row["is_complete"], row["is_filled"]) for row in rows] == [(False, True)] * 3


@pytest.mark.parametrize(
    ("changed", "status", "words"),
    [
        ({"instrument": "BTCUSD"}, 404, "BTCUSDT (spot), BTCUSDT (usdm)"),
        ({"exchange": "kraken"}, 404, "Served are binance, deribit"),
        ({"kind": "coinm"}, 404, "of kind 'coinm'"),
        ({"kind": ""}, 409, "kind=: spot, usdm"),
        ({"interval": "2m"}, 422, "`interval`"),
        ({"limit": 0}, 422, "`limit`"),
        ({"limit": -5}, 422, "`limit`"),
        ({"limit": 10001}, 422, "at most 10000"),
        ({"limit": 10**30}, 422, "`limit`"),
        ({"start": "yesterday"}, 422, "`start` can't be read (was 'yesterday')"),
        ({"end": "2024-02-30"}, 422, "`end`"),
        ({"start": "2024-01-02T00:00:00Z", "end": "2024-01-01T00:00:00Z"}, 422, "`end` is not"),
        ({"start": "-1"}, 422, "`start`"),
        ({"start": "9" * 30}, 422, "`start`"),
        ({"columns": "time,price"}, 422, "name 'price'"),
        ({"columns": "time,time"}, 422, "twice"),
        ({"cursor": "nonsense!"}, 422, "`cursor`"),
        ({"cursor": "eDEyMw"}, 422, "`cursor`"),
        ({"filled": "true", "as_of": "2024-01-01"}, 422, "`filled`"),
        ({"colour": "red"}, 422, "`colour` is no parameter"),
        ({"order": "sideways"}, 422, "`order`"),
    ],
)
def test_what_can_not_be_answered_is_refused_in_one_shape(
    api: Running, changed: dict[str, Any], status: int, words: str
) -> None:
    answer = api.get(URL, **{**BTCUSDT, **changed})

    assert answer.status_code == status
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "hint"}
    assert words in f"{error['message']} {error['hint']}"


def test_a_cursor_belongs_to_its_order(api: Running) -> None:
    cursor = api.json(URL, **BTCUSDT, limit=1)["next_cursor"]

    answer = api.get(URL, **BTCUSDT, limit=1, order="desc", cursor=cursor)

    assert answer.status_code == 422
    assert "another order" in answer.text


def test_an_index_has_no_candles_and_the_answer_says_where_its_prices_are(api: Running) -> None:
    answer = api.get(URL, exchange="deribit", instrument="btc_usd")

    assert answer.status_code == 422
    assert "/api/v1/deribit/?ticker=btc_usd" in answer.json()["error"]["hint"]
