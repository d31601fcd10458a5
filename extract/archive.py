"""Binance's bulk archive: a day's zip lands untouched with its checksum, its lines as parts."""

from __future__ import annotations

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

from extract.answer import Request
from extract.archive_parts import ArchiveZip, parts
from extract.client import Client
from extract.coverage import DAY_MS
from extract.landing import Landed, Landing
from extract.venues.binance import archive_path
from lake.bronze import encoded
from lake.clock import from_millis
from lake.errors import PermanentExtractError, TransientExtractError
from lake.settings import Settings

log = logging.getLogger(__name__)


def days(from_ms: int, until_ms: int) -> range:
    """Return the starts (ms) of the UTC days that [`from_ms`, `until_ms`) touches."""
    return range(from_ms - from_ms % DAY_MS, until_ms, DAY_MS)


def land_day(
    client: Client, settings: Settings, landing: Landing, start_ms: int, *, interval: str = ""
) -> Landed:
    """Land one closed day: the zip, its checksum, and its lines in parts.

    What an earlier, broken run has landed of it is used and not asked for again. The tag of the
    parts is the first 12 hex digits of the zip's SHA-256, after the interval where there is one.

    Raises:
        PermanentExtractError: the day is not published, or the zip is no zip of one file.
        UnreachableError: the file kept failing its checksum, or the archive did not answer.
    """
    with TemporaryDirectory(prefix="candlelake-") as folder:
        source = _obtained(
            client,
            settings,
            landing,
            Path(folder) / "day.zip",
            start_ms=start_ms,
            interval=interval,
        )
        tag = f"{interval}-{source.sha256[:12]}" if interval else source.sha256[:12]
        landed = Landed()
        for part in parts(source, settings.extract.chunk_limit):
            landed += landing.land(part.pieces, part.coverage, rows=part.rows, tag=tag)
        return landed


def _obtained(
    client: Client,
    settings: Settings,
    landing: Landing,
    target: Path,
    *,
    start_ms: int,
    interval: str,
) -> ArchiveZip:
    """Bring the day's verified zip to `target`, from bronze where it is, else from the archive."""
    day = f"{from_millis(start_ms):%Y-%m-%d}"
    path = archive_path(landing.kind, landing.dataset, landing.instrument, day, interval)
    key = _key(landing, start_ms, path.rpartition("/")[2])
    base = settings.exchanges.binance.archive_url
    checksum = landing.store.read(f"{key}.CHECKSUM")
    if checksum is None:
        checksum = client.fetch(Request(base, f"{path}.CHECKSUM")).body
    expected = published_sum(checksum, path.rpartition("/")[2])
    if not _restored(landing, key, expected, target):
        _download(client, Request(base, path), target, expected)
        landing.store.create_file(key, target)
        log.debug("landed archive file=%s sha256=%s", key, expected)
    landing.store.create(f"{key}.CHECKSUM", checksum)
    return ArchiveZip(
        target, key, expected, client.clock.now(), landing.dataset, start_ms, start_ms + DAY_MS
    )


def _restored(landing: Landing, key: str, expected: str, target: Path) -> bool:
    """Take the zip out of bronze; False where it is not there, or no longer what is published."""
    return landing.store.read_to(key, target) == expected


def _download(client: Client, request: Request, target: Path, expected: str) -> None:
    def verify(found: str) -> None:
        if found != expected:
            raise TransientExtractError(
                f"the file's SHA-256 is {found}, its CHECKSUM says {expected}", where=request.url
            )

    client.download(request, target, verify)


def published_sum(checksum: bytes, name: str) -> str:
    """Return the SHA-256 that a CHECKSUM file (`sha256sum` form) gives for `name`.

    Raises:
        PermanentExtractError: it gives none.
    """
    for line in checksum.decode("ascii", "replace").splitlines():
        digest, _, named = line.partition(" ")
        if named.strip().lstrip("*") == name and len(digest) == 64:
            return digest.lower()
    raise PermanentExtractError(
        f"the CHECKSUM file names no SHA-256 for {name}", hint="Look at it at the archive."
    )


def _key(landing: Landing, start_ms: int, name: str) -> str:
    place = f"{encoded(landing.exchange)}/{encoded(landing.kind)}/{landing.dataset}"
    return f"bronze/archive/{place}/{from_millis(start_ms):%Y-%m}/{encoded(name)}"
