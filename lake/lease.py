"""One writer a table: a lease by conditional create, renewed while it is held.

A writer stops itself at half the lease's life without a renewal; another takes over only after the
whole life, or at once where the holder was a process of this machine that is gone. The window that
remains: a writer that is frozen inside one commit for longer than half a life can still finish that
commit afterwards. In S3 `lake.log_store = "conditional"` closes it: the store refuses that commit.

Maintenance gives way: it holds a table for one short piece of work at a time, and a writer that
finds it there says that it waits instead of giving up. A writer that goes on for days lends what it
does not need between two passes; nobody else can take what is lent.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lake.clock import Clock, to_iso
from lake.errors import GivesWayError, LeaseError, StorageError
from lake.objects import ObjectStore
from lake.wishes import ASKED, WAITED_FOR, wish, wished, withdraw

log = logging.getLogger(__name__)

#: How often one who waits for a lease looks again, and how long a writer waits at most (seconds).
LOOKS_EVERY = 0.5
PATIENCE = 900


@dataclass(slots=True)
class Lease:
    """The right to write one table, until `renewed_at` plus half its life (seconds).

    Attributes:
        gives_way: whether a writer may wait for it, and whether it may take what is lent.
        is_lent: whether it is another's for a while, and not renewed.
        borrowed: the record of who has lent it, put back at the end.
    """

    store: ObjectStore
    clock: Clock
    table: str
    life_seconds: int
    holder: str = field(default_factory=lambda: uuid.uuid4().hex)
    renewed_at: datetime | None = None
    gives_way: bool = False
    is_lent: bool = False
    borrowed: bytes = b""
    guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def key(self) -> str:
        """The lease's object below the lake's root."""
        return f"leases/{self.table}.json"

    def acquire(self) -> None:
        """Take the lease, or take it over from a holder whose life has run out.

        Raises:
            GivesWayError: maintenance holds it, for the piece of work that is under way.
            LeaseError: another job holds it.
        """
        with self.guard:
            now = self.clock.now()
            if not self.store.create(self.key, self._content(now)):
                self._take_over(now)
            self.renewed_at = now
            self.is_lent = False

    def acquire_in_turn(self) -> None:
        """Take the lease; where one holds it that gives way, say so and wait.

        Raises:
            LeaseError: another job holds it, or it was not given back in a quarter of an hour.
        """
        began, has_waited = self.clock.now(), False
        while True:
            try:
                self.acquire()
            except GivesWayError as error:
                if self.gives_way or self.clock.now() - began > timedelta(seconds=PATIENCE):
                    raise
                log.info("waiting: %s", error.what)
                wish(self.store, self.clock, self.table, WAITED_FOR)
                has_waited = True
                self.clock.sleep(LOOKS_EVERY)
            else:
                if has_waited:
                    withdraw(self.store, self.table, WAITED_FOR)
                return

    def lend(self) -> None:
        """Let maintenance have the table until `acquire_in_turn`; no other writer gets it.

        Raises:
            LeaseError: it was lost.
            StorageError: the store can't be asked.
        """
        with self.guard:
            version = self._own_version()
            content = self._content(self.clock.now(), is_lent=True)
            if version is None or not self.store.replace(self.key, content, version=version):
                raise self._lost()
            self.renewed_at, self.is_lent = None, True

    def renew(self) -> None:
        """Prolong the lease.

        Raises:
            LeaseError: it was lost: another job holds it, or it is gone.
            StorageError: the store can't be asked; the lease may be ours still.
        """
        with self.guard:
            if self.is_lent:
                return
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
                self.store.replace(self.key, self.borrowed or b"{}", version=version)

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
        borrows = self.gives_way and bool(record.get("is_lent")) and not given_back
        if not given_back and not borrows:
            self._require_abandoned(record, now)
        if not self.store.replace(self.key, self._content(now), version=found[1]):
            raise self._taken("another job")
        self.borrowed = found[0] if borrows else b""

    def _require_abandoned(self, record: dict[str, Any], now: datetime) -> None:
        if not _died(record) and now < datetime.fromisoformat(record["expires_at"]):
            holder = f"run {record['holder']}, until {record['expires_at']}"
            if record.get("gives_way"):
                raise GivesWayError(f"{self.table} is being maintained by {holder}", where=self.key)
            raise self._taken(holder)
        log.warning("taking over the lease of %s abandoned by %s", self.table, record["holder"])

    def _content(self, now: datetime, *, is_lent: bool = False) -> bytes:
        expires_at = now + timedelta(seconds=self.life_seconds)
        record = {
            "holder": self.holder,
            "table": self.table,
            "expires_at": to_iso(expires_at),
            "gives_way": self.gives_way,
            "is_lent": is_lent,
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
    store: ObjectStore,
    clock: Clock,
    tables: tuple[str, ...],
    life_seconds: int,
    *,
    gives_way: bool = False,
) -> Iterator[tuple[Lease, ...]]:
    """Hold the leases of these tables, renewed in the background at a sixth of their life.

    They are taken in the order of their names, so that two jobs can't each wait for the other. One
    that `gives_way` is waited for by the next writer.

    Raises:
        LeaseError: another job holds one of them.
    """
    leases = tuple(
        Lease(store, clock, table, life_seconds, gives_way=gives_way) for table in sorted(tables)
    )
    taken: list[Lease] = []
    stop = threading.Event()
    renewer = threading.Thread(target=_renew_until, args=(stop, leases, life_seconds / 6))
    try:
        for lease in leases:
            lease.acquire_in_turn()
            taken.append(lease)
        renewer.start()
        yield leases
    finally:
        stop.set()
        if renewer.ident is not None:
            renewer.join()
        for lease in taken:
            _give_back(lease)


@contextmanager
def lent(leases: Sequence[Lease]) -> Iterator[None]:
    """Lend, within the block, the leases that maintenance has asked for; then take them back.

    Raises:
        LeaseError: one was lost.
        StorageError: the store can't be asked.
    """
    asked = wished(leases[0].store, leases[0].clock, ASKED) if leases else set()
    given = [lease for lease in leases if lease.table in asked]
    for lease in given:
        lease.lend()
    try:
        yield
    finally:
        for lease in given:
            lease.acquire_in_turn()


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
