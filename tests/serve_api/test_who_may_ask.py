"""API keys, rate limits and origins: who may ask, and how often."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from lake.errors import SettingsError, UsageError
from serve.api.keys import KeyRing, digest, names, new_key
from serve.api.limits import MOST_CALLERS, RateLimit
from serve.api.server import require_keys
from tests.serve_api.conftest import Start, serve_settings
from tests.serve_api.listed import ListedRepository

ASKED = "/api/v1/deribit/latest?ticker=btc_usd"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "api-keys"


def test_a_key_is_shown_once_and_its_hash_alone_is_kept(keys: Path) -> None:
    key = new_key(keys, "chart")
    other = new_key(keys, "bot")

    text = keys.read_text()
    assert key not in text
    assert key.removeprefix("candlelake_") not in text
    assert text == f"chart sha256:{digest(key)}\nbot sha256:{digest(other)}\n"
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert len(key) == len("candlelake_") + 43
    assert names(keys) == ("chart", "bot")


@pytest.mark.parametrize("name", ["", "two words", "a" * 65, "line\nbreak", "../x y"])
def test_a_name_that_would_break_the_file_is_refused(keys: Path, name: str) -> None:
    with pytest.raises(UsageError):
        new_key(keys, name)

    assert not keys.exists()


def test_a_name_is_taken_once(keys: Path) -> None:
    new_key(keys, "chart")

    with pytest.raises(UsageError, match="chart"):
        new_key(keys, "chart")


def test_a_ring_knows_its_keys_and_no_other(keys: Path) -> None:
    key = new_key(keys, "chart")
    ring = KeyRing.of(keys)

    assert ring.owner(key) == "chart"
    assert ring.owner(key + "x") is None
    assert ring.owner(digest(key)) is None
    assert ring.owner("") is None


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (None, 0o600, "can't be read"),
        ("", 0o600, "holds no API key"),
        ("nonsense\n", 0o600, "line 1"),
        ("chart sha256:" + "0" * 64 + "\n", 0o644, "others may read"),
    ],
)
def test_a_file_that_can_not_be_trusted_stops_the_start(
    keys: Path, content: str | None, mode: int, words: str
) -> None:
    keys.parent.mkdir()
    if content is not None:
        keys.write_text(content)
        keys.chmod(mode)

    with pytest.raises(SettingsError, match=words):
        KeyRing.of(keys)


def test_with_keys_data_is_for_those_who_have_one(
    start: Start, repository: ListedRepository, keys: Path
) -> None:
    key = new_key(keys, "chart")
    api = start(repository, keys_file=str(keys))

    def status(**headers: str) -> int:
        return api.client.get(ASKED, headers=headers).status_code

    assert status() == 401
    assert status(authorization="Bearer nonsense") == 401
    assert status(**{"x-api-key": key[:-1]}) == 401
    assert api.client.get(ASKED, headers={b"x-api-key": b"\xc3\xa4\xff"}).status_code == 401
    assert status(authorization=f"Bearer {key}") == 200
    assert status(authorization=f"bearer {key}") == 200
    assert status(**{"x-api-key": key}) == 200
    refused = api.client.get(ASKED)
    assert refused.headers["www-authenticate"] == "Bearer"
    assert refused.json()["error"]["code"] == "unauthorized"
    for path in ("/udf/config", "/metrics", "/api/v1/live/sse", "/api/v1/instruments"):
        assert api.client.get(path).status_code == 401
    for path in ("/api/v1/health", "/docs", "/openapi.json"):
        assert api.client.get(path).status_code == 200


def test_a_caller_that_asks_too_often_is_told_when_again(
    start: Start, repository: ListedRepository
) -> None:
    api = start(repository, requests_per_second=0.5, burst=3)

    statuses = [api.client.get(ASKED).status_code for _ in range(4)]
    refused = api.client.get(ASKED)

    assert statuses == [200, 200, 200, 429]
    assert 1 <= int(refused.headers["retry-after"]) <= 2
    assert refused.json()["error"]["code"] == "too_often"
    assert api.client.get("/api/v1/health").status_code == 200


def test_each_key_has_its_own_limit(start: Start, repository: ListedRepository, keys: Path) -> None:
    one, other = new_key(keys, "one"), new_key(keys, "other")
    api = start(repository, keys_file=str(keys), requests_per_second=0.001, burst=1)

    def status(key: str) -> int:
        return api.client.get(ASKED, headers={"x-api-key": key}).status_code

    assert [status(one), status(one), status(other)] == [200, 429, 200]


def test_a_limit_refills_as_time_passes() -> None:
    limit = RateLimit(2, 4)

    assert [limit.wait("me", 100.0) for _ in range(5)] == [0, 0, 0, 0, 0.5]
    assert limit.wait("me", 100.25) == 0.25
    assert limit.wait("me", 100.5) == 0
    assert limit.wait("you", 100.5) == 0
    assert [limit.wait("me", 1000.0) for _ in range(5)] == [0, 0, 0, 0, 0.5]


def test_no_limit_is_no_limit() -> None:
    limit = RateLimit(0, 1)

    assert {limit.wait("me", 1.0) for _ in range(1000)} == {0}


def test_callers_are_remembered_within_bounds() -> None:
    limit = RateLimit(1, 1)

    for number in range(MOST_CALLERS + 500):
        limit.wait(str(number), 1.0)

    assert len(limit._credits) == MOST_CALLERS


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "example.com"])  # noqa: S104
def test_others_are_served_only_with_keys(host: str) -> None:
    with pytest.raises(SettingsError, match="nobody is asked for a key"):
        require_keys(serve_settings(host=host))

    require_keys(serve_settings(host=host, keys_file="keys"))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.9"])
def test_this_machine_needs_no_key(host: str) -> None:
    require_keys(serve_settings(host=host))


def preflight(api: Any, origin: str) -> Any:
    headers = {"origin": origin, "access-control-request-method": "GET"}
    return api.client.request("OPTIONS", ASKED, headers=headers)


def test_other_origins_are_closed_out_unless_they_are_named(
    start: Start, repository: ListedRepository
) -> None:
    closed = start(repository)
    opened = start(ListedRepository(**vars(repository)), cors_origins=["https://good.example"])

    assert "access-control-allow-origin" not in preflight(closed, "https://good.example").headers
    assert "access-control-allow-origin" not in closed.get(ASKED).headers
    allowed = preflight(opened, "https://good.example").headers
    assert allowed["access-control-allow-origin"] == "https://good.example"
    refused = preflight(opened, "https://evil.example").headers
    assert "access-control-allow-origin" not in refused
    answer = opened.client.get(ASKED, headers={"origin": "https://good.example"})
    assert answer.headers["access-control-allow-origin"] == "https://good.example"
    assert "x-next-cursor" in answer.headers["access-control-expose-headers"].lower()
