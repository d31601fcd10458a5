"""The guard before a run: what has to stay free, and what a lake may hold."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from jobs.context import open_context, open_lake
from lake.errors import RoomError
from lake.objects import FolderStore
from lake.room import require_room
from lake.sections_of_keeping import Room
from lake.tables import OPS_RUNS


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    found = FolderStore(tmp_path / "lake")
    found.create("bronze/a", b"x" * 600)
    found.create("silver/trades/b", b"x" * 300)
    return found


def test_a_disk_keeps_what_has_to_stay_free(store: FolderStore) -> None:
    free = shutil.disk_usage(store.root).free

    require_room(store, Room(free_bytes=free // 2, quota_bytes=0))
    require_room(store, Room(free_bytes=0, quota_bytes=0), planned=free * 4)
    with pytest.raises(RoomError, match=r"the disk has [\d,]+ bytes free"):
        require_room(store, Room(free_bytes=free * 2, quota_bytes=0))
    with pytest.raises(RoomError, match="the run takes about"):
        require_room(store, Room(free_bytes=free // 2, quota_bytes=0), planned=free * 2)


def test_a_lake_that_is_still_to_be_made_is_on_a_disk_too(tmp_path: Path) -> None:
    nowhere = FolderStore(tmp_path / "no" / "such" / "lake")

    with pytest.raises(RoomError):
        require_room(nowhere, Room(free_bytes=1 << 60, quota_bytes=0))


def test_a_lake_holds_no_more_than_its_quota(store: FolderStore) -> None:
    assert dict(store.sizes("")) == {"bronze/a": 600, "silver/trades/b": 300}
    assert dict(store.sizes("bronze/")) == {"bronze/a": 600}
    require_room(store, Room(free_bytes=0, quota_bytes=900))

    with pytest.raises(RoomError, match="the lake holds 900 bytes, the run adds about 1,"):
        require_room(store, Room(free_bytes=0, quota_bytes=900), planned=2)
    with pytest.raises(RoomError, match="it may hold 899"):
        require_room(store, Room(free_bytes=0, quota_bytes=899))


def test_a_job_that_writes_does_not_begin_without_room(tmp_path: Path) -> None:
    lake = open_lake("replay", [f"lake.root={tmp_path}/lake", "room.quota_bytes=1"])

    with pytest.raises(RoomError), open_context("none", lake, writes=(OPS_RUNS,)):
        pytest.fail("it began")
    assert not (tmp_path / "lake" / "leases").exists()
