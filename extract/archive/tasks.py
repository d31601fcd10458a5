"""An instrument's archive files as tasks for the pool, each a task of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from extract.archive.file import ArchiveFile
from extract.archive.parts import ArchiveZip, parts
from extract.archive.zips import obtained
from extract.client import Client
from extract.landing import Landed, Landing
from extract.pool import Done, Task
from lake.errors import NotPublishedError
from lake.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Archive:
    """Whose files, who asks for them, and how many lines a part holds (`extract.chunk_limit`)."""

    client: Client
    settings: Settings
    landing: Landing

    def land(self, file: ArchiveFile, *, checksum: bytes | None = None) -> Landed:
        """Land a file: its zip, its checksum, and its lines in parts.

        What an earlier, broken run has landed of it is used and not asked for again. The tag of
        the parts is the first 12 hex digits of the zip's SHA-256, after the interval where there
        is one.

        Args:
            file: which file.
            checksum: what its CHECKSUM says, where that has just been asked for.

        Raises:
            NotPublishedError: the archive has no such file.
            PermanentExtractError: the zip is no zip of one file.
            UnreachableError: the file kept failing its checksum, or the archive did not answer.
        """
        with TemporaryDirectory(prefix="candlelake-") as folder:
            store, target = self.landing.store, Path(folder) / "archive.zip"
            source = obtained(self.client, self.settings, store, file, target, checksum=checksum)
            return self._land_parts(source)

    def _land_parts(self, source: ArchiveZip) -> Landed:
        landed, tag = Landed(), source.file.tag(source.sha256)
        for part in parts(source, self.settings.extract.chunk_limit):
            landed += self.landing.land(part.pieces, part.coverage, rows=part.rows, tag=tag)
        return landed


class Course:
    """The tasks of one instrument's window; when the last file has landed, `afterwards` runs.

    A month that has no file of its own is landed by its days, where days are published. A day that
    has none is an error, unless `leaves_days`: then what runs afterwards takes it from elsewhere.
    """

    def __init__(
        self,
        archive: Archive,
        afterwards: Callable[[], Landed],
        *,
        leaves_days: bool,
    ) -> None:
        self._archive = archive
        self._afterwards = afterwards
        self._leaves_days = leaves_days
        self._open = 0
        self._lock = Lock()

    def tasks(
        self, files: Sequence[ArchiveFile], others: Sequence[Callable[[], Landed]] = ()
    ) -> list[Task]:
        """Return a task a file and one for each of `others`; without any, what comes afterwards."""
        found = self._of(files) + [partial(self._other, one) for one in others]
        with self._lock:
            self._open += len(others)
        return found or [self._last]

    def _of(self, files: Sequence[ArchiveFile]) -> list[Task]:
        with self._lock:
            self._open += len(files)
        return [partial(self._land, file) for file in files]

    def _land(self, file: ArchiveFile) -> Done:
        try:
            return Done(self._archive.land(file), self._ended())
        except NotPublishedError:
            if file.has_days:
                log.info("%s is not published, its days are taken", file.name)
                return Done(Landed(), [*self._of(list(file.days())), *self._ended()])
            if self._leaves_days:
                log.info("%s is not published, REST is asked instead", file.name)
                return Done(Landed(), self._ended())
            raise

    def _other(self, step: Callable[[], Landed]) -> Done:
        return Done(step(), self._ended())

    def _last(self) -> Done:
        return Done(self._afterwards())

    def _ended(self) -> Sequence[Task]:
        with self._lock:
            self._open -= 1
            return () if self._open else [self._last]
