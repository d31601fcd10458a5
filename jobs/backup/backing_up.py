"""Makes a copy of a lake while it is in use, and a lake of a copy."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.backup.copying import Copied, copy, newest_versions, remove_others
from jobs.context import Lake
from lake import status
from lake.borrowing import Terms, borrowed
from lake.clock import to_iso
from lake.errors import StorageError, UsageError
from lake.objects import FolderStore, ObjectStore, open_store
from lake.run import MARKER, claim
from lake.tables import TABLES

log = logging.getLogger(__name__)

#: Says of a copy what it is of, and whether it is whole.
NOTE = "backup.json"
BRONZE = "bronze/"
#: What follows from bronze: of one moment, or it is of no use.
DERIVED = ("silver/", "gold/", "ops/", "checkpoints/")
_PATH = re.compile(rb'("path":")[^"]*?/bronze/')


def back_up(lake: Lake, root: str) -> Copied:
    """Bring the copy below `root` up to the lake's present state.

    What never changes is copied while everybody works; then, for the rest, no table is written.

    Raises:
        UsageError: there is another lake, or the copy of one.
        LeaseError: a writer does not let go of a table.
        StorageError: a store can't be used.
    """
    target = _other(lake, root)
    _require_place_for_copy(lake, target)
    claim(target, lake.settings.env)
    if status.read(target, NOTE) is None:
        # a copy that ends here is known for one by the next run
        _note(lake, target, is_whole=False)
    copied = sum((copy(lake.store, target, one, only_fixed=True) for one in _all()), Copied())
    log.info("copied objects=%d bytes=%d; now the tables stand still", copied.objects, copied.bytes)
    with _still(lake):
        _note(lake, target, is_whole=False)
        # bronze first: no checkpoint of the copy may know a file that the copy has not
        copied += sum((copy(lake.store, target, one) for one in _all()), Copied())
        copied += sum((remove_others(lake.store, target, one) for one in DERIVED), Copied())
        _note(lake, target, is_whole=True)
    return copied


def restore(lake: Lake, root: str) -> Copied:
    """Make the lake, which has to be empty, what the copy below `root` is.

    Streams know the files that they have read by address: theirs become the new ones.

    Raises:
        UsageError: there is no whole copy, it is of another environment, or the lake holds tables.
        StorageError: a store can't be used.
    """
    source = _other(lake, root)
    note = status.read(source, NOTE)
    if note is None or not note["is_whole"]:
        raise UsageError(
            "there is no whole copy of a lake",
            where=root,
            hint="Take another copy, or build silver and gold from its bronze:"
            " copy that, then run ./spark-submit.sh pipeline.",
        )
    if note["environment"] != lake.settings.env:
        raise UsageError(f"the copy is of the environment '{note['environment']}'", where=root)
    _require_empty(lake)
    here = _address(lake.store)

    def moved(content: bytes) -> bytes:
        return _PATH.sub(rb"\1" + here.encode() + b"/bronze/", content)

    copied = sum((copy(source, lake.store, one, change=moved) for one in _all()), Copied())
    found = newest_versions(lake.store, (table.path for table in TABLES.values()))
    if found != note["versions"]:
        raise StorageError("the copy is not what its note says", where=root, hint="Use another.")
    return copied


def _all() -> tuple[str, ...]:
    return (BRONZE, *DERIVED)


def _other(lake: Lake, root: str) -> ObjectStore:
    store = open_store(root)
    if store.location(MARKER) == lake.store.location(MARKER):
        raise UsageError("a lake can't be its own copy", where=root)
    return store


def _require_place_for_copy(lake: Lake, target: ObjectStore) -> None:
    note = status.read(target, NOTE)
    of = None if note is None else note["of"]
    is_used = note is None and next(target.names("silver/"), None) is not None
    if is_used or of not in (None, _address(lake.store)):
        raise UsageError(
            f"the place holds {'a lake' if of is None else f'the copy of {of}'}",
            where=target.location(NOTE),
            hint="Name an empty one.",
        )


def _require_empty(lake: Lake) -> None:
    for prefix in _all():
        if next(lake.store.names(prefix), None) is not None:
            raise UsageError(
                f"the lake holds {prefix} already",
                where=lake.store.location(prefix),
                hint="Name an empty place with --set lake.root=...",
            )


@contextmanager
def _still(lake: Lake) -> Iterator[None]:
    """Hold every table; writers who come wait, and one that goes on for days lends them."""
    settings = lake.settings
    terms = Terms(settings.lake.lease_seconds, settings.maintenance.wait_seconds)
    with borrowed(lake.store, lake.clock, tuple(TABLES), terms) as leases:
        yield
        for lease in leases:
            lease.require()


def _note(lake: Lake, target: ObjectStore, *, is_whole: bool) -> None:
    paths = (table.path for table in TABLES.values())
    status.publish(
        target,
        NOTE,
        {
            "of": _address(lake.store),
            "environment": lake.settings.env,
            "made_at": to_iso(lake.clock.now()),
            "is_whole": is_whole,
            "versions": newest_versions(target, paths) if is_whole else {},
        },
    )


def _address(store: ObjectStore) -> str:
    """Return the lake's root as Spark writes it down."""
    if isinstance(store, FolderStore):
        return Path(store.root).absolute().as_uri()
    return store.location("")[:-1]
