"""Packed bronze files: answers of many quiet instruments, and the coverage object beside each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from lake.bronze import (
    ALL_INSTRUMENTS,
    SUFFIX,
    BronzeName,
    Coverage,
    encoded,
    known_names,
    parse_name,
)
from lake.errors import BronzeError
from lake.objects import ObjectStore

#: Stands in the place of a bronze file's suffix in the name of its coverage object.
COVERAGE_SUFFIX = ".coverage.json"
#: Coverage objects never change: those read last are remembered.
REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Held:
    """What a pack holds of one instrument: the name of the file that it stands for, its rows."""

    name: BronzeName
    rows: int


def pack_name(holds: Sequence[Held], sha256: str) -> BronzeName:
    """Return the name of a pack: it claims no ids itself, and spans the times of all it holds.

    All that it holds is of one dataset, exchange, kind, mode and month.
    """
    from_ms = min(one.name.coverage.from_ms for one in holds)
    until_ms = max(one.name.coverage.until_ms for one in holds)
    nothing = Coverage(0, -1, from_ms, until_ms)
    return replace(
        holds[0].name, instrument=ALL_INSTRUMENTS, coverage=nothing, tag=sha256[:16], pack=""
    )


def coverage_key(key: str) -> str:
    """Return the key of the coverage object beside a pack."""
    return key.removesuffix(SUFFIX) + COVERAGE_SUFFIX


def coverage_object(holds: Iterable[Held], sha256: str) -> bytes:
    """Return the coverage object's bytes: the pack's SHA-256 and, by instrument, what it holds."""
    entries = [
        {
            "instrument": one.name.instrument,
            "first_id": one.name.coverage.first_id,
            "last_id": one.name.coverage.last_id,
            "from_ms": one.name.coverage.from_ms,
            "until_ms": one.name.coverage.until_ms,
            "tag": one.name.tag,
            "rows": one.rows,
        }
        for one in holds
    ]
    document = {"sha256": sha256, "holds": entries}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def names_below(store: ObjectStore, prefix: str) -> Iterator[BronzeName]:
    """Yield what is held below a prefix: files of one instrument, and what packs hold of each.

    Raises:
        BronzeError: a coverage object can't be read.
        StorageError: the store can't be reached.
    """
    for key in store.names(prefix):
        if key.endswith(COVERAGE_SUFFIX):
            yield from packed_in(store, key)
        else:
            yield from known_names([key])


def packed_of(store: ObjectStore, folder: str, instrument: str) -> Iterator[BronzeName]:
    """Yield what the packs in the folder of a month hold of one instrument; raises as above."""
    for key in store.names(f"{folder}{encoded(ALL_INSTRUMENTS)}~"):
        if key.endswith(COVERAGE_SUFFIX):
            yield from _by_instrument(store, key).get(instrument, ())


def pack_of(key: str) -> BronzeName:
    """Return the name of the pack that a coverage object stands beside.

    Raises:
        BronzeError: the key is none of a coverage object.
    """
    return parse_name(key.removesuffix(COVERAGE_SUFFIX) + SUFFIX)


def packed_in(store: ObjectStore, key: str) -> Iterator[BronzeName]:
    """Yield what the pack of a coverage object holds; raises as above."""
    for names in _by_instrument(store, key).values():
        yield from names


@lru_cache(maxsize=REMEMBERED)
def _by_instrument(store: ObjectStore, key: str) -> dict[str, tuple[BronzeName, ...]]:
    content = store.read(key)
    if content is None:
        raise BronzeError("a coverage object is gone", where=key, hint="Run again.")
    pack = pack_of(key)
    found: dict[str, tuple[BronzeName, ...]] = {}
    try:
        for entry in json.loads(content, parse_float=str)["holds"]:
            name = _held(pack, entry)
            found[name.instrument] = (*found.get(name.instrument, ()), name)
    except (ValueError, KeyError, TypeError) as error:
        raise BronzeError(
            f"a coverage object can't be read: {error}",
            where=key,
            hint="Delete it: what its pack holds is then asked for once more.",
        ) from error
    return found


def _held(pack: BronzeName, entry: dict[str, Any]) -> BronzeName:
    numbers = (int(entry[name]) for name in ("first_id", "last_id", "from_ms", "until_ms"))
    return replace(
        pack,
        instrument=str(entry["instrument"]),
        coverage=Coverage(*numbers),
        tag=str(entry["tag"]),
        pack=pack.key,
    )
