"""How maintenance gets tables that others write: in turn, for a short while, and after writers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta

from lake.clock import Clock
from lake.errors import LeaseError
from lake.lease import LOOKS_EVERY, Lease, held
from lake.objects import ObjectStore
from lake.wishes import ASKED, WAITED_FOR, is_wished, wish


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a lease lives, and how long one is waited for (seconds)."""

    life_seconds: int
    wait_seconds: int


@contextmanager
def borrowed(
    store: ObjectStore, clock: Clock, tables: tuple[str, ...], terms: Terms
) -> Iterator[tuple[Lease, ...]]:
    """Hold the leases of these tables, giving way: writers who wait go before, and wait for it.

    A writer that goes on for days is asked to lend them.

    Raises:
        LeaseError: others wanted one of them for all of `wait_seconds`.
    """
    until = clock.now() + timedelta(seconds=terms.wait_seconds)
    with ExitStack() as stack:
        while True:
            is_late = clock.now() >= until
            if not any(is_wished(store, clock, table, WAITED_FOR) for table in tables):
                turn = held(store, clock, tables, terms.life_seconds, gives_way=True)
                try:
                    leases = stack.enter_context(turn)
                    break
                except LeaseError:
                    if is_late:
                        raise
                for table in tables:
                    wish(store, clock, table, ASKED)
            elif is_late:
                raise LeaseError(f"writers wait for {tables[0]}", where=tables[0])
            clock.sleep(LOOKS_EVERY)
        yield leases
