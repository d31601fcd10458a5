"""Asks again for the checksums of the archive files that bronze holds; a changed one is landed."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from extract.archive.choice import Span, days
from extract.archive.file import ArchiveFile, folder
from extract.archive.tasks import Archive
from extract.archive.zips import published_checksum, published_sum
from extract.coverage import DAY_MS, lacks, month_end, month_start, months
from extract.landing import Landed, Landing, held_names
from lake.errors import NotPublishedError

log = logging.getLogger(__name__)


def held_files(span: Span) -> Iterator[ArchiveFile]:
    """Yield the files of a window's days and months whose zips bronze holds."""
    landing = span.landing
    for from_ms, until_ms in months(span.start_ms, span.until_ms):
        keys = set(landing.store.names(folder(landing.kind, landing.dataset, from_ms)))
        month = span.file(month_start(from_ms), month_end(from_ms))
        of_days = (span.file(start, start + DAY_MS) for start in days(from_ms, until_ms))
        yield from (file for file in (month, *of_days) if file.key in keys)


def recheck(archive: Archive, file: ArchiveFile) -> Landed:
    """Ask for a file's CHECKSUM again; where it names another zip, land that one beside the first.

    The first zip and its parts stay. The new parts have a tag of their own, so that silver sees
    their rows as seen again.

    Raises:
        UnreachableError: the new file kept failing its checksum, or the archive did not answer.
        PermanentExtractError: the CHECKSUM file names no sum, or the new file is no zip of one.
    """
    try:
        checksum = published_checksum(archive.client, archive.settings, file)
    except NotPublishedError:
        log.warning("archive file=%s is held, but no longer published; it is kept", file.key)
        return Landed()
    sha256 = published_sum(checksum, file.name)
    before = _held_sum(archive.landing, file)
    if sha256 == before or _is_landed(archive.landing, file, sha256):
        return Landed()
    log.warning(
        "archive file=%s was published anew: its SHA-256 was %s and is %s; the new zip and its"
        " lines land beside the old ones",
        file.key,
        before,
        sha256,
    )
    return archive.land(file, checksum=checksum) + Landed(republished=1)


def _held_sum(landing: Landing, file: ArchiveFile) -> str | None:
    checksum = landing.store.read(f"{file.key}.CHECKSUM")
    return published_sum(checksum, file.name) if checksum is not None else None


def _is_landed(landing: Landing, file: ArchiveFile, sha256: str) -> bool:
    """Tell whether all parts of this zip are held: a run may have died among them."""
    window = (file.start_ms, file.until_ms)
    names = held_names(
        landing.store,
        landing.dataset,
        landing.exchange,
        landing.kind,
        landing.instrument,
        window=window,
    )
    tag = file.tag(sha256)
    return not lacks((name.coverage for name in names if name.tag == tag), *window)
