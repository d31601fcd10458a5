"""Cuts an archive zip's lines, unchanged, into the parts that bronze keeps beside the zip."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO

from extract.landing import Piece
from extract.pages import Row
from lake.bronze import Coverage, Dataset
from lake.errors import PermanentExtractError

LINES_PER_PIECE = 2000
#: Spot times are in microseconds from 2025-01-01; told apart value by value.
MICROSECONDS_FROM = 10**15
#: The column of a line's time; of klines it is the id too.
TIME_COLUMNS = {"agg_trades": 5, "trades": 4, "klines": 0}


@dataclass(frozen=True, slots=True)
class ArchiveZip:
    """A verified daily zip.

    Attributes:
        path: where it lies on this machine.
        key: its key in bronze.
        sha256: its SHA-256, verified.
        received: when it entered the process.
        dataset: what its lines are.
        start_ms, until_ms: the UTC day.
    """

    path: Path
    key: str
    sha256: str
    received: datetime
    dataset: Dataset
    start_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Part:
    """One bronze file's worth of lines."""

    pieces: list[Piece]
    coverage: Coverage
    rows: int


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines of one part, the number of the first (from 1), and its first and last row."""

    first_line: int
    lines: Sequence[bytes]
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
            with archive.open(members[0]) as lines:
                yield from _parts(source, _blocks(lines, source.dataset, lines_per_part))
    except zipfile.BadZipFile as error:
        raise PermanentExtractError(
            f"the archive file is no zip: {error}",
            where=source.key,
            hint="Its checksum is right, so the exchange published it so.",
        ) from error


def _blocks(lines: IO[bytes], dataset: Dataset, size: int) -> Iterator[_Block]:
    first_line = 1
    while block := list(islice(lines, size)):
        header = first_line == 1 and not block[0][:1].isdigit()
        first = next(_rows(block, dataset), None)
        last = next(_rows(reversed(block), dataset), None)
        yield _Block(first_line, block, first, last, len(block) - header)
        first_line += len(block)


def _rows(lines: Iterable[bytes], dataset: Dataset) -> Iterator[Row]:
    """Yield the readable rows; a line with a bad id or time is for the silver job to judge."""
    for line in lines:
        cells = line.rstrip(b"\r\n").split(b",")
        try:
            yield Row(_id(cells, dataset), _millis(cells[TIME_COLUMNS[dataset]]))
        except (ValueError, IndexError):
            continue


def _id(cells: Sequence[bytes], dataset: Dataset) -> int:
    return _millis(cells[0]) if dataset == "klines" else int(cells[0])


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
    first, last = first or Row(0, source.start_ms), last or Row(-1, source.start_ms)
    ahead = following.first if following else None
    if source.dataset == "klines":
        from_ms = source.start_ms if opening else first.id
        until_ms = ahead.id if ahead else source.until_ms
        return Coverage(from_ms, until_ms - 1, from_ms, until_ms)
    return Coverage(
        first.id,
        ahead.id - 1 if ahead else last.id,
        # trades of its first millisecond may lie in the part before
        source.start_ms if opening else min(first.time_ms + 1, source.until_ms - 1),
        last.time_ms if following else source.until_ms,
    )


def _pieces(source: ArchiveZip, block: _Block) -> list[Piece]:
    return [
        Piece(
            {"zip": source.key, "sha256": source.sha256, "first_line": block.first_line + start},
            200,
            source.received,
            b"".join(block.lines[start : start + LINES_PER_PIECE]),
        )
        for start in range(0, len(block.lines), LINES_PER_PIECE)
    ]
