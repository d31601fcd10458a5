"""What a record of the topic is: an envelope as its line in bronze, and the rows that it brings."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from extract.live.batch import Batch, Caught
from extract.live.lines import LineMaker, Stamp
from extract.live.packs import tag_of
from extract.live.stream import Stream
from lake.bronze import DATASETS, BronzeName, Coverage, parse_name
from lake.errors import BronzeError

#: The headers of a record: the ids and times (ms) of its rows, parted by commas, and of bars their
#: interval. All else stands in the envelope.
IDS, TIMES, INTERVAL = "ids", "times", "interval"
#: The fields of an envelope beside its body, and their types.
FIELDS: Mapping[str, type] = {
    "exchange": str,
    "kind": str,
    "dataset": str,
    "instrument": str,
    "mode": str,
    "region": str,
    "request": str,
    "status": int,
    "end_download_timestamp": str,
    "knowledge_timestamp": str,
    "run_id": str,
    "sequence": int,
}
BODIES = ("body", "body_base64")
#: What a name has room for: 18 digits of an id, and times before the year 2200.
IDS_END = 10**18
TIMES_END = 7_258_118_400_000
_SEQUENCE = b',"sequence":'

#: As the client's own types have them; ours are bytes.
Headers = list[tuple[str, str | bytes | None]]


class Record(NamedTuple):
    """A record of the topic, as it is produced."""

    key: bytes
    value: bytes
    headers: Headers


@dataclass(frozen=True, slots=True)
class Sent:
    """A record of the topic, as it was read back.

    Attributes:
        stream: whose frame; the same object for all frames of a stream that one reader reads.
        tag: what tells the files of its collector from those of all others.
        received: when the frame entered the collector.
        ids, times: of its rows.
    """

    stream: Stream
    tag: str
    received: datetime
    ids: Sequence[int]
    times: Sequence[int]


def records_of(batch: Batch, stamp: Stamp) -> Iterator[Record]:
    """Yield a batch as records: of each stream in the order of arrival, under one key."""
    for stream, caught in batch.caught.items():
        line = LineMaker(stream, stamp).line
        key = f"{stream.exchange}/{stream.kind}/{stream.channel or stream.dataset}".encode()
        interval: Headers = [(INTERVAL, stream.interval.encode())] if stream.interval else []
        rows = _rows_by_place(caught)
        for place, body in enumerate(caught.bodies):
            value = line(caught.stamps[place], place + 1, "", body)[:-1].encode("utf-8")
            ids, times = rows.get(place, ("", ""))
            headers: Headers = [(IDS, ids.encode()), (TIMES, times.encode())] if ids else []
            yield Record(key, value, headers + interval)


def _rows_by_place(caught: Caught) -> Mapping[int, tuple[str, str]]:
    """Return the ids and times of each frame that has rows."""
    found: dict[int, tuple[str, str]] = {}
    for place, one, time in zip(caught.places, caught.ids, caught.times, strict=True):
        held = found.get(place)
        found[place] = (
            (str(one), str(time)) if held is None else (f"{held[0]},{one}", f"{held[1]},{time}")
        )
    return found


class RecordReader:
    """Reads records back; what it has seen of a stream it knows again."""

    def __init__(self) -> None:
        self._streams: dict[tuple[str, ...], Stream] = {}

    def read(
        self,
        key: bytes | None,
        value: bytes | None,
        ids: bytes | None,
        times: bytes | None,
        interval: bytes | None,
    ) -> Sent:
        """Return what a record says.

        Args:
            key: names the stream.
            value: the envelope's line.
            ids: of its rows, a header; None where there is none, as of the others.
            times: of its rows, a header.
            interval: of bars, a header.

        Raises:
            BronzeError: it is none of a collector's records, or no bronze file could hold it.
        """
        envelope = _envelope(value)
        sent_ids = _numbers(ids, IDS, -IDS_END, IDS_END)
        sent_times = _numbers(times, TIMES, 0, TIMES_END)
        if len(sent_ids) != len(sent_times):
            raise BronzeError(f"it has {len(sent_ids)} ids and {len(sent_times)} times")
        received = _moment(envelope, "end_download_timestamp")
        known = _moment(envelope, "knowledge_timestamp")
        tag = tag_of(Stamp(envelope["region"], envelope["run_id"], known))
        named = (*(envelope[name] for name in ("exchange", "kind", "dataset", "instrument")),)
        stream = self._stream((*named, _text(key, "key"), _text(interval, INTERVAL)), tag)
        return Sent(stream, tag, received, sent_ids, sent_times)

    def _stream(self, named: tuple[str, ...], tag: str) -> Stream:
        """Return the stream of these names; it is looked at once whether a file can bear them."""
        found = self._streams.get((*named, tag))
        if found is None:
            exchange, kind, dataset, instrument, channel, interval = named
            if dataset not in DATASETS:
                raise BronzeError(f"its dataset is {dataset[:100]!a}")
            found = Stream(exchange, kind, dataset, instrument, channel, {}, interval)  # type: ignore[arg-type]
            _require_name(found, tag)
            found = self._streams.setdefault(named, found)
            self._streams[*named, tag] = found
        return found


def sent_line(received: datetime, sequence: int, packed: str, value: bytes) -> str:
    """Return the line in bronze of a record's value: with its number there and `packed_as`."""
    del received
    head, _, tail = value.partition(_SEQUENCE)
    body = tail.partition(b",")[2]
    return f"{head.decode()}{_SEQUENCE.decode()}{sequence},{packed}{body.decode()}\n"


def _envelope(value: bytes | None) -> Mapping[str, Any]:
    if value is None:
        raise BronzeError("it has no value")
    try:
        envelope = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise BronzeError(f"it is no JSON: {error}") from error
    if not isinstance(envelope, dict) or not _is_form(envelope):
        raise BronzeError("it is no envelope of a collector's")
    number, comma, body = value.partition(_SEQUENCE)[2].partition(b",")
    at_end = tuple(f'"{name}":"'.encode() for name in BODIES)
    if not number.isdigit() or not comma or not body.startswith(at_end):
        raise BronzeError("the fields of its envelope stand in another order")
    if b"\n" in value or b"\r" in value:
        raise BronzeError("its envelope is no line")
    return envelope


def _is_form(envelope: Mapping[str, Any]) -> bool:
    """Tell whether all fields are there with their types, and one body that can be read."""
    bodies = [envelope[name] for name in BODIES if name in envelope]
    return (
        all(type(envelope.get(name)) is form for name, form in FIELDS.items())
        and envelope["mode"] == "live"
        and "packed_as" not in envelope
        and len(bodies) == 1
        and isinstance(bodies[0], str)
        and ("body" in envelope or _is_base64(bodies[0]))
    )


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _moment(envelope: Mapping[str, Any], field: str) -> datetime:
    try:
        moment = datetime.fromisoformat(envelope[field])
    except ValueError as error:
        raise BronzeError(f"its {field} is {envelope[field][:100]!a}") from error
    if moment.tzinfo is None or not 1970 <= moment.year < 2200:
        raise BronzeError(f"its {field} is {envelope[field][:100]!a}")
    return moment


def _numbers(header: bytes | None, name: str, least: int, end: int) -> Sequence[int]:
    if not header:
        return ()
    try:
        found = [int(one) for one in header.split(b",")]
    except ValueError as error:
        raise BronzeError(f"its header {name} holds no numbers") from error
    if not all(least <= one < end for one in found):
        raise BronzeError(f"a number of its header {name} is beyond all bounds")
    return found


def _text(part: bytes | None, name: str) -> str:
    try:
        return (part or b"").decode("utf-8")
    except UnicodeDecodeError as error:
        raise BronzeError(f"its {name} is no UTF-8") from error


def _require_name(stream: Stream, tag: str) -> None:
    """Refuse names of which no bronze file could be made, whatever it holds."""
    widest = Coverage(1 - IDS_END, IDS_END - 1, TIMES_END - 1, TIMES_END - 1)
    # a pack has 16 digits of its SHA-256 behind the tag
    tags = (f"{stream.interval}-{tag}" if stream.interval else tag, f"{tag}-{'0' * 16}")
    place = (stream.dataset, stream.exchange, stream.kind, stream.instrument)
    for one in tags:
        parse_name(BronzeName(*place, "live", widest, one).key)
