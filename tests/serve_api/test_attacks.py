"""Attacks on the routes: made by schemathesis from the description, and by hand."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings, strategies
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.serve_api.conftest import Running

#: Injections, traversals, and texts that break parsers.
NASTY = (
    "' OR '1'='1",
    "'; DROP TABLE bars; --",
    '" UNION SELECT password FROM pg_shadow --',
    "1; SELECT pg_sleep(10)",
    "../../../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%00",
    "\x00",
    "BTCUSDT\r\nX-Injected: 1",
    "<script>alert(1)</script>",
    "${jndi:ldap://127.0.0.1/a}",
    "{{7*7}}",
    "\U0001d539\U0001d54b\u2102",
    "Ⓑⓣⓒ",
    "btc\u202eusd",
    "ИТС",
    "🚀" * 25,
    "\ud7ff\ue000",
    "%f0%28%8c%28",
    "A" * 100,
    "A" * 100_00,
    "-1",
    "1e309",
    "NaN",
    "99999999999999999999999999",
    "null",
    "[]",
)
#: Real SQL: lists know no injection.
KINDS = ("memory", "postgresql")
TAKEN = {"exchange": "binance", "kind": "spot", "instrument": "BTCUSDT"}


@pytest.mark.parametrize("text", NASTY, ids=lambda text: ascii(text)[:24])
@pytest.mark.parametrize(
    ("path", "asked", "names"),
    [
        (
            "/api/v1/ohlcv",
            TAKEN,
            (
                *("exchange", "kind", "instrument", "uid", "interval", "start", "end", "limit"),
                *("cursor", "order", "as_of", "label", "filled", "columns", "format", "other"),
            ),
        ),
        ("/api/v1/deribit/filter", {"ticker": "btc_usd"}, ("ticker", "start_date", "end_date")),
        ("/api/v1/trades", TAKEN, ("instrument", "cursor", "limit", "start")),
        ("/api/v1/instruments", {}, ("q", "exchange", "kind", "cursor", "limit")),
        ("/api/v1/coverage", TAKEN, ("instrument", "exchange")),
        ("/api/v1/reconciliation", TAKEN, ("instrument", "start")),
        ("/udf/history", {"symbol": "btc_usd", "resolution": "1", "to": "5"},
         ("symbol", "resolution", "from", "to", "countback")),
        ("/udf/search", {}, ("query", "type", "exchange", "limit")),
        ("/udf/symbols", {}, ("symbol",)),
        ("/api/v1/live/sse", TAKEN, ("interval", "exchange")),
    ],
)  # fmt: skip
def test_nasty_words_are_words(
    api: Running, path: str, asked: dict[str, str], names: tuple[str, ...], text: str
) -> None:
    for name in names:
        answer = api.client.get(path, params={**asked, name: text})

        assert answer.status_code in (200, 404, 406, 409, 422), (name, answer.text)
        assert "x-injected" not in answer.headers
        if answer.status_code != 200:
            assert set(answer.json()["error"]) == {"code", "message", "hint"}
            assert len(answer.content) < 2000


@pytest.mark.parametrize("text", NASTY, ids=lambda text: ascii(text)[:24])
def test_nasty_paths_lead_nowhere(api: Running, text: str) -> None:
    for path in (f"/api/v1/{text}/latest", f"/{text}", f"/api/v1/{text}/"):
        try:
            answer = api.client.get(httpx.URL(api.url + "/").copy_with(path=path))
        except httpx.InvalidURL:
            continue

        assert answer.status_code in (404, 422), answer.text
        assert "root:" not in answer.text


@pytest.mark.parametrize("headers", [
    {"accept": "," * 5000},
    {"accept": "text/csv;q=" + "9" * 500},
    {"accept": "a/b;" * 1000},
    {"if-none-match": "W/" * 3000},
    {"if-modified-since": "Mon, 99 Foo 99999 99:99:99 GMT"},
    {"accept-encoding": "gzip;q=0, br"},
    {"last-event-id": "9" * 19},
    {"host": "evil.example"},
])  # fmt: skip
def test_odd_headers_harm_nothing(api: Running, headers: dict[str, str]) -> None:
    answer = api.client.get("/api/v1/ohlcv", params={**TAKEN, "limit": 2}, headers=headers)

    assert answer.status_code in (200, 406)
    assert "evil.example" not in str(answer.headers)


def test_a_huge_range_gives_a_page_and_no_more(api: Running) -> None:
    for filled in ("true", "false"):
        answer = api.json(
            "/api/v1/ohlcv", **TAKEN, start=0, end="99999999999999", filled=filled, limit=10000
        )
        assert len(answer["bars"]) <= 10000


CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    unsupported_method,
]


@pytest.mark.slow
def test_the_routes_keep_to_their_description(api: Running) -> None:
    """Requests made of the description: valid, nearly valid, and wild; none may break a promise.

    Streams of events never end: they have tests of their own.
    """
    schema = schemathesis.openapi.from_url(f"{api.url}/openapi.json")
    tried: list[str] = []
    operations: Any = schema.exclude(path_regex="/live/").get_all_operations()
    for found in operations:
        operation = found.ok()

        @settings(
            max_examples=60,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @schemathesis_given(operation)  # type: ignore[untyped-decorator]
        def attack(case: Any) -> None:
            answer = case.call(base_url=api.url)
            case.validate_response(answer, checks=CHECKS)

        attack()
        tried.append(operation.path)

    assert len(tried) >= 14


def schemathesis_given(operation: Any) -> Any:
    """Return Hypothesis' decorator for the requests of an operation, valid and not."""
    cases = [
        operation.as_strategy(generation_mode=mode)
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        if mode is GenerationMode.POSITIVE or operation.query or operation.path_parameters
    ]
    return given(case=strategies.one_of(cases))
