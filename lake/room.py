"""Whether a run has room: on the disk of a lake in a folder, and within what the lake may hold."""

from __future__ import annotations

import shutil
from pathlib import Path

from lake.errors import RoomError
from lake.objects import FolderStore, ObjectStore
from lake.sections_of_keeping import Room

#: Of the bytes that an exchange sends, bronze, silver and gold together take less than half:
#: measured on the bundled day 0.29.
SHARE_KEPT = 0.5


def require_room(store: ObjectStore, room: Room, *, planned: int = 0) -> None:
    """Return where a run may begin.

    Args:
        store: of the lake.
        room: what has to be left.
        planned: the bytes that the run asks of exchanges.

    Raises:
        RoomError: the disk would not keep `room.free_bytes` free, or the lake would hold more than
            `room.quota_bytes`.
        StorageError: the store can't be read.
    """
    wanted = int(planned * SHARE_KEPT)
    if room.free_bytes and isinstance(store, FolderStore):
        _require_disk(store.root, room.free_bytes, wanted)
    if room.quota_bytes:
        _require_quota(store, room.quota_bytes, wanted)


def _require_disk(root: Path, left: int, wanted: int) -> None:
    there = next(folder for folder in (root, *root.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if free - wanted < left:
        raise RoomError(
            f"the disk has {free:,} bytes free, the run takes about {wanted:,},"
            f" and {left:,} have to stay",
            where=str(root),
            hint="Make room, set lake.root to another disk, or lower room.free_bytes."
            " ./spark-submit.sh maintain removes what no reader needs.",
        )


def _require_quota(store: ObjectStore, quota: int, wanted: int) -> None:
    held = sum(size for _, size in store.sizes(""))
    if held + wanted > quota:
        raise RoomError(
            f"the lake holds {held:,} bytes, the run adds about {wanted:,}, and it may hold"
            f" {quota:,}",
            where=store.location("bronze").removesuffix("bronze"),
            hint="Raise room.quota_bytes, or remove what is not needed;"
            " ./spark-submit.sh maintain removes old files of tables.",
        )
