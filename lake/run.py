"""How a run begins: the lake is claimed for its environment, and the run gets its name."""

from __future__ import annotations

import json
import uuid

from lake.clock import Clock
from lake.errors import UsageError
from lake.objects import ObjectStore

MARKER = "candlelake.json"


def claim(store: ObjectStore, environment: str) -> None:
    """Record the environment in a new lake; an old one has to be of the same.

    Raises:
        UsageError: the lake belongs to another environment.
        StorageError: the store can't be reached.
    """
    if store.create(MARKER, json.dumps({"environment": environment}).encode()):
        return
    content = store.read(MARKER)
    found = json.loads(content)["environment"] if content else environment
    if found != environment:
        raise UsageError(
            f"this lake holds data of the environment '{found}', not '{environment}'",
            where=store.location(MARKER),
            hint=f"Use --env {found}, or another lake.root.",
        )


def new_run_id(clock: Clock) -> str:
    """Return a name that no other run has; names sort by the second of their beginning."""
    return f"{clock.now():%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"
