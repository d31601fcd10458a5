"""Small JSON objects below `status/` that say how a process fares: replaced often, for anyone."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from lake.errors import StorageError
from lake.objects import ObjectStore

log = logging.getLogger(__name__)

LIVE = "status/live/"
PIPELINE = "status/pipeline.json"


def publish(store: ObjectStore, key: str, document: Mapping[str, Any]) -> None:
    """Put a document in the place of the one that stands there, whole or not at all.

    Raises:
        StorageError: the store refuses, or somebody else wrote the object at the same moment.
    """
    content = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    held = store.read_versioned(key)
    if held is None:
        done = store.create(key, content)
    else:
        done = store.replace(key, content, version=held[1])
    if not done:
        raise StorageError(
            "a status object was changed by somebody else",
            where=store.location(key),
            hint="The next one is written soon.",
        )


def read(store: ObjectStore, key: str) -> dict[str, Any] | None:
    """Return a document, None where there is none, or none that can be read (told in the log).

    Raises:
        StorageError: the store can't be read.
    """
    content = store.read(key)
    if content is None:
        return None
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        log.warning("no status, passed over: %s", store.location(key))
        return None
    return document


def read_all(store: ObjectStore, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the keys and documents below a prefix, sorted by key; raises as `read`."""
    for key in store.names(prefix):
        document = read(store, key)
        if document is not None:
            yield key, document
