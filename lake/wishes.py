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
#: A wish that was not said again for so long is over (seconds); clocks may differ by less.
STANDS = 15.0
LEASES = "leases/"


def wish(store: ObjectStore, clock: Clock, table: str, kind: Wish) -> None:
    """Say once more that somebody wants the table; where the store is away, nothing is said."""
    until = clock.now() + timedelta(seconds=STANDS)
    # of two that say it at one moment one is enough
    with suppress(StorageError):
        status.publish(store, _key(table, kind), {"until": to_iso(until)})


def withdraw(store: ObjectStore, table: str, kind: Wish) -> None:
    """Say no longer that somebody wants the table; another who does says so again soon."""
    with suppress(StorageError):
        store.delete(_key(table, kind))


def is_wished(store: ObjectStore, clock: Clock, table: str, kind: Wish) -> bool:
    """Tell whether somebody wants the table now.

    Raises:
        StorageError: the store can't be reached.
    """
    document = status.read(store, _key(table, kind))
    if document is None:
        return False
    return clock.now() < datetime.fromisoformat(str(document["until"]))


def wished(store: ObjectStore, clock: Clock, kind: Wish) -> set[str]:
    """Return the tables that somebody wants now, by one listing of what was ever wanted.

    Raises:
        StorageError: the store can't be reached.
    """
    end = f".{kind}.json"
    keys = [key for key in store.names(LEASES) if key.endswith(end)]
    tables = [key.removeprefix(LEASES).removesuffix(end) for key in keys]
    return {table for table in tables if is_wished(store, clock, table, kind)}


def _key(table: str, kind: Wish) -> str:
    return f"{LEASES}{table}.{kind}.json"
