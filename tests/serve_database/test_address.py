"""Which database the settings name, and what a message may tell of it."""

from __future__ import annotations

import pytest

from lake.errors import SettingsError
from lake.settings import load_settings
from serve.database.address import Address, address_of


def found(*overrides: str) -> Address:
    return address_of(load_settings("replay", list(overrides)))


def test_without_a_url_it_is_a_file_of_the_lake() -> None:
    address = found("lake.root=/somewhere/lake")

    assert address.shown == "/somewhere/lake/serve.sqlite"
    assert not address.is_postgres


def test_a_url_names_postgresql_and_the_environment_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CANDLELAKE_SERVE__DATABASE_PASSWORD", "hush")
    address = found("serve.database_url=postgresql://api@db.example:6543/candles")

    assert address.url.render_as_string(hide_password=False) == (
        "postgresql+asyncpg://api:hush@db.example:6543/candles"
    )
    assert address.shown == "postgresql://api@db.example:6543/candles"
    assert "hush" not in repr(address)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://api:hush@db/candles", "holds a password"),
        ("mysql://api@db/candles", "is no postgresql"),
        ("postgresql:///candles", "is no postgresql"),
        ("postgresql://api@db", "is no postgresql"),
        ("postgresql://api@db/candles?hush=1", "is no postgresql"),
        ("postgresql://api:hush@db:port/candles", "is no postgresql"),
        ("hush", "is no postgresql"),
    ],
)
def test_what_can_not_be_used_is_refused_and_not_shown(url: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as told:
        found(f"serve.database_url={url}")

    assert "hush" not in str(told.value)


def test_a_lake_in_s3_has_no_place_for_a_file() -> None:
    with pytest.raises(SettingsError, match=r"serve\.database_url"):
        found("lake.root=s3a://bucket/lake")
