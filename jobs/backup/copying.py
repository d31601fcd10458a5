"""Copies objects of one store to another: what never changes once, what changes when it has."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lake.errors import StorageError
from lake.objects import ObjectStore

#: Copied at once: a store's answers are waited for, not computed.
COPIES_AT_ONCE = 8
#: A local file system's own checksums: they would tell of another file.
_CHECKSUM = re.compile(r"(?:.*/)?\.[^/]+\.crc")
_NEVER_CHANGES = re.compile(r"bronze/.*|.*\.parquet|.*/_delta_log/\d{20}\.(?:json|crc)", re.DOTALL)
Change = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Copied:
    """How many objects were copied, their bytes, and how many were removed."""

    objects: int = 0
    bytes: int = 0
    removed: int = 0

    def __add__(self, other: Copied) -> Copied:
        return Copied(
            self.objects + other.objects, self.bytes + other.bytes, self.removed + other.removed
        )


def never_changes(key: str) -> bool:
    """Tell whether an object, once it is there, is always the same."""
    return _NEVER_CHANGES.fullmatch(key) is not None


def copy(
    source: ObjectStore,
    target: ObjectStore,
    prefix: str,
    *,
    only_fixed: bool = False,
    change: Change | None = None,
) -> Copied:
    """Copy what the target has not below a prefix.

    Args:
        source: is only read.
        target: where to.
        prefix: of keys.
        only_fixed: leave out what may change.
        change: applied to the content of what may change.

    Raises:
        StorageError: one of the stores can't be used.
    """
    held = dict(target.sizes(prefix))
    wanted = [
        (key, size)
        for key, size in source.sizes(prefix)
        if not _CHECKSUM.fullmatch(key) and not (never_changes(key) and held.get(key) == size)
    ]

    def one(entry: tuple[str, int]) -> Copied:
        key, size = entry
        if never_changes(key):
            return _copy_file(source, target, key, size)
        return Copied() if only_fixed else _put(source, target, key, change)

    with ThreadPoolExecutor(COPIES_AT_ONCE) as pool:
        return sum(pool.map(one, wanted), Copied())


def remove_others(source: ObjectStore, target: ObjectStore, prefix: str) -> Copied:
    """Remove from the target what the source no longer has below a prefix."""
    there = set(source.names(prefix))
    gone = [key for key in target.names(prefix) if key not in there]
    for key in gone:
        target.delete(key)
    return Copied(removed=len(gone))


def newest_versions(store: ObjectStore, paths: Iterable[str]) -> dict[str, int]:
    """Return the newest version of each table's log, by its path; none of one that is not there."""
    found = {}
    for path in paths:
        folder = f"{path}/_delta_log/"
        entries = [key.removeprefix(folder) for key in store.names(folder)]
        versions = [int(name[:20]) for name in entries if re.fullmatch(r"\d{20}\.json", name)]
        if versions:
            found[path] = max(versions)
    return found


def _copy_file(source: ObjectStore, target: ObjectStore, key: str, size: int) -> Copied:
    with tempfile.TemporaryDirectory(prefix="candlelake-copy-") as folder:
        local = Path(folder) / "object"
        if source.read_to(key, local) is None:
            # maintenance has removed it since it was listed
            return Copied()
        if not target.create_file(key, local):
            raise StorageError(
                "the copy holds another object under this name",
                where=target.location(key),
                hint="Use an empty place for the copy.",
            )
    return Copied(1, size)


def _put(source: ObjectStore, target: ObjectStore, key: str, change: Change | None) -> Copied:
    content = source.read(key)
    if content is None:
        return Copied()
    content = change(content) if change else content
    held = target.read_versioned(key)
    if held is not None and held[0] == content:
        return Copied()
    done = (
        target.create(key, content)
        if held is None
        else target.replace(key, content, version=held[1])
    )
    if not done:
        raise StorageError("somebody else writes the copy", where=target.location(key))
    return Copied(1, len(content))
