"""One writer a table: a lease by conditional create, renewed while it is held.

A writer stops itself at half the lease's life without a renewal; another takes over only after the
whole life, or at once where the holder was a process of this machine that is gone. The window that
remains: a writer that is frozen inside one commit for longer than half a life can still finish that
commit afterwards. On AWS the DynamoDB log store closes it.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lake.clock import Clock, to_iso
from lake.errors import LeaseError, StorageError
from lake.objects import ObjectStore

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Lease:
    """The right to write one table, until `renewed_at` plus half its life (seconds)."""

    store: ObjectStore
    clock: Clock
    table: str
    life_seconds: int
    holder: str = field(default_factory=lambda: uuid.uuid4().hex)
    renewed_at: datetime | None = None
    guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def key(self) -> str:
        """The lease's object below the lake's root."""
        return f"leases/{self.table}.json"

    def acquire(self) -> None:
        """Take the lease, or take it over from a holder whose life has run out.

        Raises:
            LeaseError: another job holds it.
        """
        now = self.clock.now()
        if not self.store.create(self.key, self._content(now)):
            self._take_over(now)
        self.renewed_at = now

    def renew(self) -> None:
        """Prolong the lease.

        Raises:
            LeaseError: it was lost: another job holds it, or it is gone.
            StorageError: the store can't be asked; the lease may be ours still.
        """
        with self.guard:
            now = self.clock.now()
            # the version is read each time: a write whose answer got lost has changed it
            version = self._own_version()
            if version is None or not self.store.replace(
                self.key, self._content(now), version=version
            ):
                self.renewed_at = None
                raise self._lost()
            self.renewed_at = now

    def require(self) -> None:
        """Raise LeaseError unless the lease is held and was renewed within half its life."""
        if self.renewed_at is None:
            raise self._lost()
        if self.clock.now() - self.renewed_at > timedelta(seconds=self.life_seconds / 2):
            raise self._lost()

    def release(self) -> None:
        """Give the lease back, if it is still ours."""
        with self.guard:
            self.renewed_at = None
            version = self._own_version()
            if version is not None:
                # replaced, not deleted: the version makes sure that only our own is given back
                self.store.replace(self.key, b"{}", version=version)

    def _own_version(self) -> str | None:
        """Return the version of the lease as it lies in the store, None where it is not ours."""
        found = self.store.read_versioned(self.key)
        if found is None or json.loads(found[0]).get("holder") != self.holder:
            return None
        return found[1]

    def _take_over(self, now: datetime) -> None:
        found = self.store.read_versioned(self.key)
        if found is None:
            if not self.store.create(self.key, self._content(now)):
                raise self._taken("another job")
            return
        record = json.loads(found[0])
        # ours already where the store made it, but its answer to us got lost
        given_back = not record or record["holder"] == self.holder
        if not given_back:
            if not _died(record) and now < datetime.fromisoformat(record["expires_at"]):
                raise self._taken(f"run {record['holder']}, until {record['expires_at']}")
            log.warning("taking over the lease of %s abandoned by %s", self.table, record["holder"])
        if not self.store.replace(self.key, self._content(now), version=found[1]):
            raise self._taken("another job")

    def _content(self, now: datetime) -> bytes:
        expires_at = now + timedelta(seconds=self.life_seconds)
        record = {
            "holder": self.holder,
            "table": self.table,
            "expires_at": to_iso(expires_at),
            "machine": _machine(),
            "process": os.getpid(),
            "process_started": _process_started(os.getpid()),
        }
        return json.dumps(record).encode()

    def _taken(self, holder: str) -> LeaseError:
        return LeaseError(
            f"{self.table} is being written by {holder}",
            where=self.key,
            hint="Wait for it to end; after a crash the lease runs out by itself.",
        )

    def _lost(self) -> LeaseError:
        return LeaseError(
            f"the lease of {self.table} was lost or not renewed in time",
            where=self.key,
            hint="Nothing half-written is visible; run again.",
        )


@contextmanager
def held(
    store: ObjectStore, clock: Clock, tables: tuple[str, ...], life_seconds: int
) -> Iterator[tuple[Lease, ...]]:
    """Hold the leases of these tables, renewed in the background at a sixth of their life.

    They are taken in the order of their names, so that two jobs can't each wait for the other.
    """
    leases = tuple(Lease(store, clock, table, life_seconds) for table in sorted(tables))
    taken: list[Lease] = []
    stop = threading.Event()
    renewer = threading.Thread(target=_renew_until, args=(stop, leases, life_seconds / 6))
    try:
        for lease in leases:
            lease.acquire()
            taken.append(lease)
        renewer.start()
        yield leases
    finally:
        stop.set()
        if renewer.ident is not None:
            renewer.join()
        for lease in taken:
            _give_back(lease)


def _died(record: dict[str, Any]) -> bool:
    """Tell whether the holder ran on this machine and is gone: then nobody need wait for it."""
    if record.get("machine") != _machine():
        return False
    return bool(record["process_started"] != _process_started(int(record["process"])))


def _machine() -> str:
    """Name this machine since its last start, and its process numbers (a container has its own).

    Only Linux tells; elsewhere a lease just runs out.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        numbers = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return f"{socket.gethostname()}-{uuid.uuid4().hex}"
    return f"{socket.gethostname()}-{boot}-{numbers}"


def _process_started(process: int) -> str:
    """Return the start time of a process in clock ticks, empty where it is gone or a zombie."""
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return ""
    state, *numbers = status.rpartition(")")[2].split()
    return "" if state in "ZX" else numbers[18]


def _renew_until(stop: threading.Event, leases: tuple[Lease, ...], seconds: float) -> None:
    remaining = list(leases)
    while remaining and not stop.wait(seconds):
        for lease in list(remaining):
            try:
                lease.renew()
            except LeaseError:
                log.exception("stopping renewals of %s", lease.table)
                remaining.remove(lease)
            except StorageError:
                log.warning("could not renew the lease of %s yet", lease.table, exc_info=True)


def _give_back(lease: Lease) -> None:
    try:
        lease.release()
    except StorageError as error:
        log.warning("could not give back the lease of %s, it runs out: %s", lease.table, error)
