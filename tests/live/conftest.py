"""A lake in a folder, and settings of a collector in a hurry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from extract.replay.exchange import ReplayExchange
from lake.objects import FolderStore
from lake.settings import Settings, load_settings

MakeSettings = Callable[..., Settings]
HURRIED = [
    "live.seconds=0.2",
    "live.hole_seconds=0.2",
    "live.quiet_seconds=1",
    "live.stale_seconds=2",
    "live.rotation_seconds=0.3",
    "live.store_patience_seconds=5",
    "extract.backoff_seconds=0.05",
    "extract.backoff_ceiling_seconds=0.2",
]


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "lake")


@pytest.fixture
def settings_of() -> MakeSettings:
    """Settings that point at a replay exchange, its streams included."""

    def make(exchange: ReplayExchange, *overrides: str) -> Settings:
        urls = exchange.urls
        streams = {
            "exchanges.binance.spot.ws_url": urls.spot,
            "exchanges.binance.usdm.ws_url": urls.usdm,
            "exchanges.binance.coinm.ws_url": urls.coinm,
            "exchanges.deribit.ws_url": f"{urls.deribit}/ws/api/v2",
        }
        addresses = {**urls.settings(), **streams}
        sets = [f"{name}={url}" for name, url in addresses.items()]
        return load_settings("replay", [*sets, *HURRIED, *overrides], environ={})

    return make
