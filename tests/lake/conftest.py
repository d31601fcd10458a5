"""A folder of objects and a clock, for leases."""

from __future__ import annotations

from pathlib import Path

import pytest

from lake.objects import FolderStore
from tests.set_clock import SetClock


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)
