"""Brings an archive file's verified zip, from bronze where it is, else from the archive."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

from extract.answer import Request
from extract.archive.file import ArchiveFile
from extract.archive.parts import ArchiveZip
from extract.client import Client
from lake.errors import PermanentExtractError, TransientExtractError
from lake.objects import ObjectStore
from lake.settings import Settings

log = logging.getLogger(__name__)

#: What the archive says of a zip beside its checksum, as its headers name it.
SAID = ("content-length", "etag", "last-modified")


def obtained(
    client: Client,
    settings: Settings,
    store: ObjectStore,
    file: ArchiveFile,
    target: Path,
    *,
    checksum: bytes | None = None,
) -> ArchiveZip:
    """Bring a file's zip to `target`; nothing counts before its SHA-256 is the published one.

    The zip is kept with its checksum and with what the archive said of it. One that was published
    in the place of another is kept beside it.

    Args:
        client: asks the archive.
        settings: where the archive is.
        store: the lake.
        file: which file.
        target: where to put the zip.
        checksum: what its CHECKSUM says; None takes the one in bronze, else the archive's.

    Raises:
        NotPublishedError: the archive has no such file.
        PermanentExtractError: the CHECKSUM file names no sum.
        UnreachableError: the file kept failing its checksum, or the archive did not answer.
    """
    said = checksum or store.read(f"{file.key}.CHECKSUM")
    if said is None:
        said = published_checksum(client, settings, file)
    expected = published_sum(said, file.name)
    key = _restored(store, file, expected, target)
    if key is None:
        request = Request(settings.exchanges.binance.archive_url, file.path)
        headers = _downloaded(client, request, target, expected)
        key = _kept(store, file, expected, target, headers)
    store.create(f"{key}.CHECKSUM", said)
    return ArchiveZip(target, key, expected, client.clock.now(), file)


def published_checksum(client: Client, settings: Settings, file: ArchiveFile) -> bytes:
    """Ask the archive for a file's CHECKSUM; raises like `obtained`."""
    base = settings.exchanges.binance.archive_url
    return client.fetch(Request(base, f"{file.path}.CHECKSUM")).body


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


def _restored(store: ObjectStore, file: ArchiveFile, expected: str, target: Path) -> str | None:
    """Take the zip out of bronze; return its key, None where no zip with this sum is there."""
    for key in (file.key, file.key_of(expected)):
        if store.read_to(key, target) == expected:
            return key
    return None


def _downloaded(client: Client, request: Request, target: Path, expected: str) -> Mapping[str, str]:
    def verify(found: str) -> None:
        if found != expected:
            raise TransientExtractError(
                f"the file's SHA-256 is {found}, its CHECKSUM says {expected}", where=request.url
            )

    return client.download(request, target, verify)


def _kept(
    store: ObjectStore, file: ArchiveFile, sha256: str, source: Path, headers: Mapping[str, str]
) -> str:
    """Keep what was said of the zip, then the zip; return the key that it got."""
    said = {name.replace("-", "_"): headers.get(name) for name in SAID} | {"sha256": sha256}
    meta = json.dumps(said, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    store.create(f"{file.key}.{sha256[:12]}.META.json", meta)
    key = file.key
    if not store.create_file(key, source):
        key = file.key_of(sha256)
        store.create_file(key, source)
    log.debug("landed archive file=%s sha256=%s", key, sha256)
    return key
