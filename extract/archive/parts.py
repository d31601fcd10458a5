"""Cuts an archive zip's lines, unchanged, into the parts that bronze keeps beside the zip."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from extract.archive.file import ArchiveFile
from extract.landing import Piece
from extract.pages import Row
from extract.subject import BY_TIME
from lake.bronze import Coverage, Dataset
from lake.errors import PermanentExtractError

LINES_PER_PIECE = 2000
#: What is inflated at a time, in bytes.
INFLATED = 1 << 18
#: Spot times are in microseconds from 2025-01-01; told apart value by value.
MICROSECONDS_FROM = 10**15
#: The column of a line's time; of what is paged by time it is the first, and the id too.
TIME_COLUMNS = {"agg_trades": 5, "trades": 4}


@dataclass(frozen=True, slots=True)
class ArchiveZip:
    """A verified zip.

    Attributes:
        path: where it lies on this machine.
        key: its key in bronze.
        sha256: its SHA-256, verified.
        received: when it entered the process.
        file: what it is of.
    """

    path: Path
    key: str
    sha256: str
    received: datetime
    file: ArchiveFile


@dataclass(frozen=True, slots=True)
class Part:
    """One bronze file's worth of lines."""

    pieces: list[Piece]
    coverage: Coverage
    rows: int


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines of one part in pieces, the number of the first (from 1), and the outer rows."""

    first_line: int
    pieces: Sequence[bytes]
    first: Row | None
    last: Row | None
    rows: int


def parts(source: ArchiveZip, lines_per_part: int) -> Iterator[Part]:
    """Yield the parts of a zip in the order of its lines; two parts at most are held in memory.

    A header line stays in the body and counts for nothing else.

    Raises:
        PermanentExtractError: the zip is broken, or holds more or less than one file.
    """
    try:
        with zipfile.ZipFile(source.path) as archive:
            members = archive.namelist()
            if len(members) != 1:
                raise PermanentExtractError(
                    f"the zip holds {len(members)} files instead of one", where=source.key
                )
            with archive.open(members[0]) as member:
                # the member reads lines one by one in Python; a buffer before it does it in C
                lines = io.BufferedReader(member, INFLATED)  # type: ignore[type-var]
                yield from _parts(source, _blocks(lines, source.file.dataset, lines_per_part))
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise PermanentExtractError(
            f"the archive file is no zip: {error}",
            where=source.key,
            hint="Its checksum is right, so the exchange published it so.",
        ) from error


def _blocks(lines: BinaryIO, dataset: Dataset, size: int) -> Iterator[_Block]:
    first_line = 1
    while pieces := list(_cut(lines, size)):
        count = sum(map(_lines, pieces))
        header = first_line == 1 and not pieces[0][:1].isdigit()
        onwards = chain.from_iterable(map(io.BytesIO, pieces))
        backwards = chain.from_iterable(reversed(one.splitlines()) for one in reversed(pieces))
        first = next(_rows(onwards, dataset), None)
        last = next(_rows(backwards, dataset), None)
        yield _Block(first_line, pieces, first, last, count - header)
        first_line += count


def _cut(lines: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the next `size` lines in pieces; only the last piece of all is shorter."""
    for taken in range(0, size, LINES_PER_PIECE):
        piece = b"".join(islice(lines, min(LINES_PER_PIECE, size - taken)))
        if not piece:
            return
        yield piece


def _lines(piece: bytes) -> int:
    return piece.count(b"\n") + (not piece.endswith(b"\n"))


def _rows(lines: Iterable[bytes], dataset: Dataset) -> Iterator[Row]:
    """Yield the readable rows; a line with a bad id or time is for the silver job to judge."""
    for line in lines:
        cells = line.rstrip(b"\r\n").split(b",")
        try:
            yield Row(_id(cells, dataset), _millis(cells[TIME_COLUMNS.get(dataset, 0)]))
        except (ValueError, IndexError):
            continue


def _id(cells: Sequence[bytes], dataset: Dataset) -> int:
    return _millis(cells[0]) if dataset in BY_TIME else int(cells[0])


def _millis(text: bytes) -> int:
    value = int(text)
    return value // 1000 if value >= MICROSECONDS_FROM else value


def _parts(source: ArchiveZip, blocks: Iterator[_Block]) -> Iterator[Part]:
    """Look one block ahead: a part reaches up to the id before the next part's first."""
    block = next(blocks, None)
    if block is None:
        yield Part([], _covered(source, None, None, opening=True), 0)
        return
    opening = True
    while block is not None:
        following = next(blocks, None)
        coverage = _covered(source, block, following, opening=opening)
        yield Part(_pieces(source, block), coverage, block.rows)
        block, opening = following, False


def _covered(
    source: ArchiveZip, block: _Block | None, following: _Block | None, *, opening: bool
) -> Coverage:
    first, last = (block.first, block.last) if block else (None, None)
    start_ms, until_ms = source.file.start_ms, source.file.until_ms
    first, last = first or Row(0, start_ms), last or Row(-1, start_ms)
    ahead = following.first if following else None
    if source.file.dataset in BY_TIME:
        from_ms = start_ms if opening else first.id
        until_ms = ahead.id if ahead else until_ms
        return Coverage(from_ms, until_ms - 1, from_ms, until_ms)
    return Coverage(
        first.id,
        ahead.id - 1 if ahead else last.id,
        # trades of its first millisecond may lie in the part before
        start_ms if opening else max(start_ms, min(first.time_ms + 1, until_ms - 1)),
        max(start_ms, min(last.time_ms, until_ms)) if following else until_ms,
    )


def _pieces(source: ArchiveZip, block: _Block) -> list[Piece]:
    return [
        Piece(
            {
                "zip": source.key,
                "sha256": source.sha256,
                "first_line": block.first_line + place * LINES_PER_PIECE,
            },
            200,
            source.received,
            body,
        )
        for place, body in enumerate(block.pieces)
    ]
