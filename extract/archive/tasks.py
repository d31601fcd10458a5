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
from extract.subject import Subject
from lake.clock import from_millis, to_iso
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
    has none is an error, but with `auto`: then what runs afterwards takes it from elsewhere.
    Where nobody named the window's start, what lies before the first file is no error: an
    instrument may be older than its archive (USD-M BTCUSDT by four months). Nor is, where nobody
    named its end, what lies behind the last: a day is published on the next.
    """

    def __init__(
        self,
        archive: Archive,
        afterwards: Callable[[], Landed],
        subject: Subject,
    ) -> None:
        self._archive = archive
        self._afterwards = afterwards
        self._subject = subject
        self._leaves_days = subject.source == "auto"
        self._absent: list[tuple[NotPublishedError, ArchiveFile]] = []
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
        except NotPublishedError as error:
            if file.has_days:
                log.info("%s is not published, its days are taken", file.name)
                return Done(Landed(), [*self._of(list(file.days())), *self._ended()])
            if self._leaves_days:
                log.info("%s is not published, REST is asked instead", file.name)
                return Done(Landed(), self._ended())
            if not (self._subject.starts_open or self._subject.ends_open):
                raise
            with self._lock:
                self._absent.append((error, file))
            return Done(Landed(), self._ended())

    def _other(self, step: Callable[[], Landed]) -> Done:
        return Done(step(), self._ended())

    def _last(self) -> Done:
        self._require_no_hole()
        return Done(self._afterwards())

    def _require_no_hole(self) -> None:
        """Let only what lies before the first file, or after the last one, be absent.

        Raises:
            NotPublishedError: a file between them, or of an end that was named, is not published.
        """
        if not self._absent:
            return
        of = self._subject
        runs = self._archive.landing.runs(of.start_ms, of.end_ms, interval=of.interval)
        first = min((run.from_ms for run in runs), default=of.end_ms)
        last = max((run.until_ms for run in runs), default=of.start_ms)
        for error, file in self._absent:
            is_before = of.starts_open and file.until_ms <= first
            is_after = of.ends_open and file.start_ms >= last
            if not runs or not (is_before or is_after):
                raise error
        log.info(
            "the archive of %s %s reaches from %s to %s",
            *(of.kind, of.instrument, to_iso(from_millis(first)), to_iso(from_millis(last))),
        )

    def _ended(self) -> Sequence[Task]:
        with self._lock:
            self._open -= 1
            return () if self._open else [self._last]
