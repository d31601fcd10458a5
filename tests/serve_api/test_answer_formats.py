"""The formats of an answer, its tags, what is sent of it: exact in each, small, and not twice."""

from __future__ import annotations

import csv
import gzip
import io
from decimal import Decimal
from typing import Any

import httpx
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serve.records import Publication
from tests.serve_api.conftest import Running
from tests.serve_api.listed import ListedRepository
from tests.serve_api.market import BEGIN, DAY, MINUTE, OFF_BOOK, minute_bar

URL = "/api/v1/ohlcv"
AROUND: dict[str, Any] = {
    "exchange": "binance",
    "kind": "spot",
    "instrument": "BTCUSDT",
    "start": BEGIN + (OFF_BOOK - 1) * MINUTE,
    "end": BEGIN + (OFF_BOOK + 1) * MINUTE,
    "columns": "time,open,quote_volume,trade_count,is_complete,built_from",
}


def expected() -> list[dict[str, Any]]:
    return [
        {
            "time": bar.bar_start,
            "open": bar.open,
            "quote_volume": bar.quote_volume,
            "trade_count": bar.trade_count,
            "is_complete": True,
            "built_from": "trades",
        }
        for bar in (minute_bar(OFF_BOOK - 1), minute_bar(OFF_BOOK))
    ]


def test_ndjson_has_a_row_a_line(api: Running) -> None:
    answer = api.get(URL, **AROUND, format="ndjson")

    assert [orjson.loads(line) for line in answer.content.splitlines()] == expected()


def test_csv_has_the_same_digits_and_an_empty_field_for_nothing(api: Running) -> None:
    answer = api.get(URL, **AROUND, format="csv")

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert rows == [{name: _cell(value) for name, value in row.items()} for row in expected()]


def _cell(value: Any) -> str:
    return "" if value is None else "true" if value is True else str(value)


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_parquet_and_arrow_have_times_and_exact_decimals(api: Running, form: str) -> None:
    body = api.get(URL, **AROUND, format=form).content

    table = _read(body, form)
    assert table.schema.field("time").type == pa.timestamp("ms", tz="UTC")
    assert table.schema.field("open").type == pa.decimal128(20, 10)
    rows = table.to_pylist()
    for held, sent in zip(rows, expected(), strict=True):
        assert int(held["time"].timestamp()) * 1000 == sent["time"]
        assert held["open"] == (None if sent["open"] is None else Decimal(sent["open"]))
        assert held["quote_volume"] == Decimal(sent["quote_volume"])
        assert held["trade_count"] == sent["trade_count"]


def _read(body: bytes, form: str) -> pa.Table:
    if form == "parquet":
        return pq.read_table(io.BytesIO(body))
    return pa.ipc.open_stream(body).read_all()


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet", "arrow"])
@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/instruments",
        "/api/v1/listings",
        "/api/v1/deribit/?ticker=btc_usd",
        "/api/v1/deribit/latest?ticker=btc_usd",
        "/api/v1/binance/latest?ticker=BTCUSDT&kind=spot",
        "/api/v1/trades?exchange=binance&kind=spot&instrument=BTCUSDT",
        "/api/v1/coverage?exchange=binance&kind=spot&instrument=BTCUSDT",
        "/api/v1/reconciliation?exchange=binance&kind=spot&instrument=BTCUSDT",
        "/api/v1/reconciliation?exchange=binance&kind=usdm&instrument=BTCUSDT",
        "/api/v1/ohlcv?exchange=binance&kind=spot&instrument=BTCUSDT&filled=true&limit=500",
    ],
)
def test_every_route_of_rows_has_every_format(api: Running, path: str, form: str) -> None:
    joint = "&" if "?" in path else "?"

    answer = api.get(f"{path}{joint}format={form}")

    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("text/csv", "text/csv; charset=utf-8"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("application/vnd.apache.parquet", "application/vnd.apache.parquet"),
        ("application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.stream"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("application/json;q=0.5, text/csv;q=0.9", "text/csv; charset=utf-8"),
        ("text/csv;q=0, */*;q=0.1", "application/json"),
        ("image/png, text/csv", "text/csv; charset=utf-8"),
    ],
)
def test_accept_chooses_the_format(api: Running, accept: str, media: str) -> None:
    answer = api.client.get(URL, params=AROUND, headers={"accept": accept})

    assert answer.headers["content-type"] == media


@pytest.mark.parametrize("accept", ["image/png", "text/csv;q=0", "application/xml"])
def test_what_is_not_offered_is_406(api: Running, accept: str) -> None:
    answer = api.client.get(URL, params=AROUND, headers={"accept": accept})

    assert answer.status_code == 406
    assert "json, csv, ndjson, parquet, arrow" in answer.json()["error"]["hint"]


def test_an_answer_that_is_held_is_not_sent_again(
    api: Running, repository: ListedRepository
) -> None:
    first = api.get(URL, **AROUND)
    tag, date = first.headers["etag"], first.headers["last-modified"]

    by_tag = api.client.get(URL, params=AROUND, headers={"if-none-match": f'"x", {tag}'})
    by_date = api.client.get(URL, params=AROUND, headers={"if-modified-since": date})
    other = api.client.get(URL, params={**AROUND, "format": "csv"}, headers={"if-none-match": tag})

    assert (by_tag.status_code, by_tag.content) == (304, b"")
    assert by_tag.headers["etag"] == tag
    assert by_date.status_code == 304
    assert other.status_code == 200


def test_a_publication_changes_the_tag_and_the_answer(
    api: Running, repository: ListedRepository
) -> None:
    first = api.get(URL, **AROUND)
    api.api.app.state.serving.seconds_now = lambda: 1e12
    repository.newest = Publication(2, BEGIN + 10 * DAY)
    held = {"if-none-match": first.headers["etag"]}
    dated = {"if-modified-since": first.headers["last-modified"]}

    answer = api.client.get(URL, params=AROUND, headers=held)

    assert answer.status_code == 200
    assert answer.json()["publication"] == 2
    assert api.client.get(URL, params=AROUND, headers=dated).status_code == 200


def test_the_same_question_is_answered_from_memory(
    api: Running, repository: ListedRepository
) -> None:
    first = api.get(URL, **AROUND)
    api.api.app.state.serving.seconds_now = lambda: 0
    asked = repository.asked

    assert api.get(URL, **AROUND).content == first.content
    assert repository.asked == asked


def test_gzip_is_for_what_is_worth_it(api: Running) -> None:
    small = api.client.get(URL, params=AROUND, headers={"accept-encoding": "gzip"})
    asked = {"exchange": "binance", "kind": "spot", "instrument": "BTCUSDT"}
    with api.client.stream("GET", URL, params=asked, headers={"accept-encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    plain = api.client.get(URL, params=asked, headers={"accept-encoding": "identity"})

    assert "content-encoding" not in small.headers
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == plain.content
    assert len(raw) < len(plain.content) / 3


@pytest.mark.parametrize("path", ["/api/v1/health", "/docs", "/openapi.json", "/metrics", URL])
def test_head_has_the_headers_and_no_body(
    api: Running, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    asked = AROUND if path == URL else {}

    answer = api.client.head(path, params=asked or None)
    api.client.get("/api/v1/health")

    assert answer.status_code == 200
    assert answer.content == b""
    assert int(answer.headers["content-length"]) > 50
    assert caplog.text == ""


def test_the_next_page_stands_in_headers_too(api: Running) -> None:
    asked = {"exchange": "binance", "kind": "spot", "instrument": "BTCUSDT", "limit": 2}

    answer = api.get(URL, **asked, format="csv")

    link = answer.headers["link"]
    assert link.endswith('>; rel="next"')
    then = api.client.get(link.partition(">")[0].lstrip("<"))
    rows = list(csv.DictReader(io.StringIO(then.text)))
    assert [row["time"] for row in rows] == [str(BEGIN + 2 * MINUTE), str(BEGIN + 3 * MINUTE)]
    assert answer.headers["x-next-cursor"] in str(httpx.URL(str(then.url)))
