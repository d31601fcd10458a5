"""What says that somebody wants a table that another holds: an object beside the lease."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Literal

from lake import status
from lake.clock import Clock, to_iso
from lake.errors import StorageError
from lake.objects import ObjectStore

Wish = Literal["waited-for", "asked"]
#: A writer waits for one that gives way; maintenance asks one that goes on for days.
WAITED_FOR: Wish = "waited-for"
ASKED: Wish = "asked"
#: A wish that was not said again for so long is over (seconds).
STANDS = 5.0


def wish(store: ObjectStore, clock: Clock, table: str, kind: Wish) -> None:
    """Say once more that somebody wants the table; where the store is away, nothing is said."""
    until = clock.now() + timedelta(seconds=STANDS)
    # of two that say it at one moment one is enough
    with suppress(StorageError):
        status.publish(store, _key(table, kind), {"until": to_iso(until)})


def is_wished(store: ObjectStore, clock: Clock, table: str, kind: Wish) -> bool:
    """Tell whether somebody wants the table now.

    Raises:
        StorageError: the store can't be reached.
    """
    document = status.read(store, _key(table, kind))
    if document is None:
        return False
    return clock.now() < datetime.fromisoformat(str(document["until"]))


def _key(table: str, kind: Wish) -> str:
    return f"leases/{table}.{kind}.json"
