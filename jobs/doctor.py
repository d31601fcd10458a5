"""Looks through bronze: what Spark could not read is moved aside, so that the next run goes on."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from datetime import timedelta

from extract.live.state import remove_older
from jobs.context import Lake
from lake.bronze import QUARANTINE, SUFFIX, parse_name, read_lines
from lake.errors import BronzeError
from lake.packs import coverage_key

CORRUPT = "bronze/_corrupt/"
DEAD_FOR = timedelta(days=1)


def examine(lake: Lake) -> Iterator[str]:
    """Read every bronze file; move the corrupt ones to bronze/_corrupt; yield a line a finding.

    A moved file leaves its ids unclaimed: the next extraction loads them again.
    """
    files = corrupt = 0
    for key in list(lake.store.names("bronze/")):
        if not key.endswith(SUFFIX) or key.startswith((CORRUPT, QUARANTINE)):
            continue
        files += 1
        reason = fault(lake, key)
        if reason:
            corrupt += 1
            move_aside(lake, key)
            yield f"moved to {CORRUPT}: {key} ({reason})"
    yield f"bronze: {files} files read, {corrupt} corrupt"
    for key in remove_older(lake.store, DEAD_FOR, lake.clock.now()):
        yield f"removed: {key} (its collector has been dead for a day)"


def fault(lake: Lake, key: str) -> str:
    """Return what is wrong with a bronze file, empty where nothing is."""
    try:
        parse_name(key)
        content = lake.store.read(key)
        for _ in read_lines(content or b""):
            pass
    except (BronzeError, zlib.error) as error:
        return str(error)
    return ""


def move_aside(lake: Lake, key: str) -> None:
    """Move a bronze file to bronze/_corrupt, under its own name; of a pack, its coverage first."""
    for moved in (coverage_key(key), key):
        content = lake.store.read(moved)
        if content is not None:
            lake.store.create(CORRUPT + moved.removeprefix("bronze/"), content)
            lake.store.delete(moved)
