"""Instruments, listings, trades, coverage, certificates, health, metrics, and the pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from serve.records import Publication
from tests.serve_api.conftest import Running, Start, running
from tests.serve_api.listed import ListedRepository
from tests.serve_api.market import (
    BEGIN,
    DAY,
    INTERVALS,
    MINUTE,
    MINUTES,
    NASTY,
    QUIET,
    QUIET_BEHIND,
    UNKNOWN,
    certificate,
)

BTCUSDT = {"exchange": "binance", "kind": "spot", "instrument": "BTCUSDT"}


def test_a_search_has_the_shape_that_the_page_reads(api: Running) -> None:
    found = api.json("/api/v1/instruments", q="btcusdt", limit=1)

    assert found["instruments"] == [
        {
            **BTCUSDT,
            "series_type": "bars",
            "quantity_unit": "BTC",
            "base_unit": "BTC",
            "quote_unit": "USDT",
            "first_time": BEGIN,
            "last_time": BEGIN + (MINUTES - 1) * MINUTE,
            "complete_until": BEGIN + MINUTES * MINUTE,
            "intervals": list(INTERVALS),
        }
    ]
    assert found["next_cursor"] is not None


def test_a_search_ranks_and_pages(api: Running) -> None:
    names: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = api.json("/api/v1/instruments", q="btc_usd", limit=1, **cursor)
        names += [one["instrument"] for one in page["instruments"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}

    assert names == ["btc_usd"]
    every = api.json("/api/v1/instruments")["instruments"]
    assert len(every) == 6
    kinds = api.json("/api/v1/instruments", exchange="deribit", kind="index")["instruments"]
    assert [one["instrument"] for one in kinds] == ["btc_usd", "eth_usd"]


def test_listings_have_their_sizes(api: Running) -> None:
    found = api.json("/api/v1/listings", exchange="binance")["listings"]

    assert [(one["instrument"], one["tick_size"], one["valid_to"]) for one in found] == [
        ("BTCUSDT", "0.01", None)
    ]


def test_trades_come_once_each_in_the_exchanges_order(api: Running) -> None:
    rows: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = api.json("/api/v1/trades", **BTCUSDT, **cursor)
        rows += page["trades"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}

    assert [row["trade_seq"] for row in rows] == list(range(5000, 7500))
    assert rows[1] == {
        "time": BEGIN + 250,
        "trade_time_us": (BEGIN + 250) * 1000 + 7,
        "trade_seq": 5001,
        "trade_id": "5001",
        "price": "42283.58",
        "quantity": "0.00001",
        "quote_quantity": "0.4228358",
        "taker_side": "buy",
        "print_kind": "book",
    }


def test_coverage_counts_quiet_minutes_and_tells_holes(api: Running) -> None:
    answer = api.json("/api/v1/coverage", **BTCUSDT)

    assert [day["day"] for day in answer["days"]] == [BEGIN, BEGIN + DAY]
    assert answer["days"][0] == {
        "day": BEGIN,
        "complete_bars": 1440 - len(UNKNOWN),
        "expected": 1440,
    }
    assert answer["holes"] == [
        {
            "dataset": "agg_trades",
            "first_id": 10,
            "last_id": 20,
            "from": BEGIN + 200 * MINUTE,
            "until": BEGIN + 204 * MINUTE,
            "cause": "not_loaded",
            "state": "open",
        }
    ]
    assert len(QUIET) + len(QUIET_BEHIND) == 5


def test_a_day_that_is_not_over_expects_its_minutes_so_far(api: Running) -> None:
    answer = api.json("/api/v1/coverage", exchange="binance", kind="usdm", instrument="BTCUSDT")

    assert answer["days"] == [{"day": BEGIN, "complete_bars": 5, "expected": 5}]


def test_certificates_come_newest_first_and_by_window(api: Running) -> None:
    both = api.json("/api/v1/reconciliation", **BTCUSDT)["certificates"]
    second = api.json("/api/v1/reconciliation", **BTCUSDT, start="2024-01-02")["certificates"]

    assert [one["run_id"] for one in both] == ["run-1", "run-0"]
    assert second == [certificate(1, BEGIN + 4 * DAY)._asdict()]


def test_health_says_which_part_is_ill_and_recovers(
    api: Running, repository: ListedRepository
) -> None:
    assert api.json("/api/v1/health")["status"] == "ok"
    api.api.app.state.serving.seconds_now = iter(range(10**9, 10**10, 10)).__next__

    repository.is_gone = True
    ill = api.get("/api/v1/health")
    refused = api.get("/api/v1/ohlcv", **BTCUSDT)
    repository.is_gone = False

    assert ill.status_code == 503
    assert ill.json()["parts"]["database"] == {
        "status": "ill",
        "detail": "the database of the tests is gone",
    }
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    assert refused.json()["error"]["code"] == "database_gone"
    assert api.json("/api/v1/health")["status"] == "ok"
    assert api.get("/api/v1/ohlcv", **BTCUSDT).status_code == 200


def test_health_says_that_nothing_is_published(start: Start) -> None:
    api = start(ListedRepository(newest=Publication(0, 0)))

    health = api.json("/api/v1/health")

    assert health["parts"]["publication"]["status"] == "ill"
    assert "publish" in health["parts"]["publication"]["detail"]
    unknown = api.get("/api/v1/deribit/latest", ticker="btc_usd")
    assert "publish" in unknown.json()["error"]["hint"]


def test_metrics_count_by_route_and_tell_ages(api: Running) -> None:
    def counted(text: str) -> int:
        route = 'route="/api/v1/trades",status="200"'
        lines = [line for line in text.splitlines() if line.startswith("candlelake_http_requests")]
        return sum(int(line.split()[-1].partition(".")[0]) for line in lines if route in line)

    before = counted(api.get("/metrics").text)
    api.json("/api/v1/trades", **BTCUSDT)
    text = api.get("/api/v1/metrics").text

    names = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line[0] != "#"}
    assert names >= {
        "candlelake_http_requests_total",
        "candlelake_http_request_seconds_bucket",
        "candlelake_http_rows_total",
        "candlelake_live_clients",
        "candlelake_publication",
        "candlelake_publication_age_seconds",
        "candlelake_published_row_age_seconds",
        "candlelake_database_up",
    }
    assert 'candlelake_published_row_age_seconds{series_type="index"}' in text
    assert counted(text) > before


def test_metrics_tell_that_the_database_is_gone(api: Running, repository: ListedRepository) -> None:
    api.api.app.state.serving.seconds_now = iter(range(10**9, 10**10, 10)).__next__
    repository.is_gone = True

    assert "candlelake_database_up 0.0" in api.get("/metrics").text


def test_the_docs_show_every_route_and_need_nobody_else(api: Running) -> None:
    page = api.get("/docs").text
    paths = api.json("/openapi.json")["paths"]

    assert len(paths) >= 16
    assert [path for path in paths if f"GET {path}</code>" not in page] == []
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page
    assert api.get("/docs.css").headers["content-type"].startswith("text/css")


def test_the_form_of_the_docs_sends_empty_fields_that_count_as_none(api: Running) -> None:
    answer = api.get(
        "/api/v1/ohlcv", **BTCUSDT, format="", interval="", limit="", start="", cursor=""
    )

    assert answer.status_code == 200, answer.text


def test_the_page_is_served_from_its_folder_and_nothing_else_is(tmp_path: Path) -> None:
    (tmp_path / "static" / "vendor").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "static" / "index.html").write_text("<p>page</p>")
    (tmp_path / "static" / "app.js").write_text("let page = 1;")
    (tmp_path / "static" / "vendor" / "charts.mjs").write_text("export default 1;")
    with running(ListedRepository(), static=tmp_path / "static") as api:
        index = api.get("/")
        script = api.get("/vendor/charts.mjs")
        again = api.client.get(
            "/app.js", headers={"if-none-match": api.get("/app.js").headers["etag"]}
        )
        outside = [
            api.client.get(path).status_code
            for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "//etc/passwd")
        ]

    assert index.text == "<p>page</p>"
    assert index.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'self'" in index.headers["content-security-policy"]
    assert script.headers["content-type"].startswith("text/javascript")
    assert again.status_code == 304
    assert set(outside) == {404}


@pytest.mark.parametrize("path", ["/nothing", "/api/v2/ohlcv", "/udf/nothing", "/api/v1/a/b/c"])
def test_an_unknown_path_is_told_in_the_one_shape(api: Running, path: str) -> None:
    answer = api.get(path)

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PURGE"])
def test_nothing_can_be_written(api: Running, method: str) -> None:
    answer = api.client.request(method, "/api/v1/ohlcv", params=BTCUSDT)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
    assert answer.json()["error"]["code"] == "method_not_allowed"


def test_every_answer_has_the_headers_of_safety(api: Running) -> None:
    for path in ("/docs", "/api/v1/health", "/nothing", "/api/v1/ohlcv"):
        headers = api.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_a_fault_of_ours_is_told_without_a_word_of_it(
    start: Start, repository: ListedRepository, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> Any:
        raise KeyError("a secret of the inside")

    api = start(repository)
    repository.series = broken  # type: ignore[method-assign]
    api.api.app.state.serving._catalogue = None

    answer = api.get("/api/v1/instruments")

    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "fault"
    assert "secret" not in answer.text
    assert "a secret of the inside" in caplog.text


def test_a_nasty_name_stays_text(api: Running) -> None:
    found = api.json("/api/v1/instruments", q="<img")["instruments"]

    assert [one["instrument"] for one in found] == [NASTY]
