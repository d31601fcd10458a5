"""Makes a batch into packed bronze files, one a dataset, kind and month, each with its coverage."""

from __future__ import annotations

import gzip
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from extract.coverage import month_start
from extract.live.batch import Batch, Caught
from extract.live.lines import LineMaker, Stamp, packed_as
from extract.live.runs import Run, runs_of, unclaimed
from extract.live.stream import Stream
from lake.bronze import (
    ALL_INSTRUMENTS,
    QUICK_LEVEL,
    BronzeName,
    Coverage,
    Dataset,
    shown_region,
)
from lake.clock import to_millis
from lake.packs import Held, coverage_key, coverage_object, pack_name

Room = tuple[Dataset, str, str, int]
#: Makes a line of when a frame came, its number, `packed_as` as a field, and the frame.
Line = Callable[[datetime, int, str, bytes], str]


@dataclass(frozen=True, slots=True)
class Pack:
    """A packed file that is ready to land.

    Attributes:
        key: the file's.
        content: its bytes.
        coverage_key, coverage: the object beside it.
        held: the names that it stands for, and their rows.
        streams: whose frames it holds.
    """

    key: str
    content: bytes
    coverage_key: str
    coverage: bytes
    held: Sequence[Held]
    streams: Sequence[Stream]


@dataclass(frozen=True, slots=True)
class _Part:
    """Frames of one stream that stand in a pack, under one name or under none."""

    caught: Caught
    places: Sequence[int]
    name: BronzeName | None = None
    rows: int = 0


def tag_of(stamp: Stamp) -> str:
    """Return what tells the files of a collector from those of all others: its region and run."""
    region = shown_region(stamp.region)
    return f"{region}-{stamp.run_id}" if region else stamp.run_id


def packs_of(batch: Batch, stamp: Stamp) -> Iterator[Pack]:
    """Yield the packs of a batch; the same batch and stamp give the same bytes."""
    return packs_from(batch, tag_of(stamp), lambda stream: LineMaker(stream, stamp).line)


def packs_from(batch: Batch, tag: str, line_of: Callable[[Stream], Line]) -> Iterator[Pack]:
    """Yield the packs of a batch, whatever makes their lines.

    Args:
        batch: what came of one collector.
        tag: what tells this collector's files from those of all others.
        line_of: gives what makes the lines of a stream; called once a stream and pack.
    """
    for room, parts in sorted(_rooms(batch, tag).items()):
        yield _pack(room, parts, tag, line_of)


def _rooms(batch: Batch, tag: str) -> Mapping[Room, list[_Part]]:
    rooms: dict[Room, list[_Part]] = defaultdict(list)
    for stream, caught in sorted(batch.caught.items(), key=_order):
        place = (stream.dataset, stream.exchange, stream.kind)
        for run in runs_of(caught):
            part = _Part(caught, run.places, _name(stream, run, tag), run.rows)
            rooms[*place, month_start(run.coverage.from_ms)].append(part)
        if beside := unclaimed(caught):
            month = month_start(to_millis(caught.stamps[beside[0]]))
            # beside rows that are claimed, whose month is the exchange's, they need no file
            own = [room for room in rooms if room[:3] == place]
            rooms[own[-1] if own else (*place, month)].append(_Part(caught, beside))
    return rooms


def _order(item: tuple[Stream, Caught]) -> tuple[bool, str, str]:
    stream = item[0]
    # what names no stream comes last: by then the pack of its dataset has a month
    return (not stream.instrument, stream.instrument, stream.channel)


def _name(stream: Stream, run: Run, tag: str) -> BronzeName:
    return BronzeName(
        stream.dataset,
        stream.exchange,
        stream.kind,
        stream.instrument,
        "live",
        run.coverage,
        f"{stream.interval}-{tag}" if stream.interval else tag,
    )


def _pack(room: Room, parts: Sequence[_Part], tag: str, line_of: Callable[[Stream], Line]) -> Pack:
    content = gzip.compress(
        "".join(_lines(parts, line_of)).encode("utf-8"), compresslevel=QUICK_LEVEL, mtime=0
    )
    sha256 = hashlib.sha256(content).hexdigest()
    held = [Held(part.name, part.rows) for part in parts if part.name is not None]
    named = pack_name(held, sha256) if held else _of_nothing(room, parts)
    key = replace(named, tag=f"{tag}-{sha256[:16]}").key
    streams = list(dict.fromkeys(part.caught.stream for part in parts))
    return Pack(key, content, coverage_key(key), coverage_object(held, sha256), held, streams)


def _of_nothing(room: Room, parts: Sequence[_Part]) -> BronzeName:
    """Return the name of a pack that claims nothing; its times are those of the arrivals."""
    stamps = [to_millis(part.caught.stamps[place]) for part in parts for place in part.places]
    coverage = Coverage(0, -1, min(stamps), max(stamps))
    dataset, exchange, kind, _ = room
    return BronzeName(dataset, exchange, kind, ALL_INSTRUMENTS, "live", coverage)


def _lines(parts: Sequence[_Part], line_of: Callable[[Stream], Line]) -> Iterator[str]:
    makers: dict[Stream, Line] = {}
    sequence = 0
    for part in parts:
        caught = part.caught
        if caught.stream not in makers:
            makers[caught.stream] = line_of(caught.stream)
        line = makers[caught.stream]
        packed = packed_as(part.name.key if part.name else "")
        stamps, bodies = caught.stamps, caught.bodies
        for place in part.places:
            sequence += 1
            yield line(stamps[place], sequence, packed, bodies[place])
