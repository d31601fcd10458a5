"""Lands a batch of the topic as bronze files; it runs within Spark's workers, a partition each."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from extract.live.batch import Batch
from extract.live.packs import packs_from
from extract.live.patience import Patience
from extract.live.sink import land_pack
from extract.live.topic_records import INTERVAL, RecordReader, sent_line
from lake.bronze import QUARANTINE, QUICK_LEVEL, SUFFIX
from lake.clock import SystemClock, to_iso
from lake.errors import BronzeError
from lake.objects import ObjectStore, open_store

#: What a partition of a batch has become.
LANDED = "partition int, first_offset long, last_offset long, records long, files long, junk long"


@dataclass(slots=True)
class _Share:
    """The records of one partition of the topic, as they are read: by collector, and the junk."""

    offsets: list[int] = field(default_factory=list)
    batches: dict[str, Batch] = field(default_factory=dict)
    junk: list[Mapping[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TopicLanding:
    """What Spark calls with the records of a partition; it gives back what they have become.

    The same records give the same files under the same names, whoever lands them again.

    Attributes:
        root: of the lake, as every worker finds it.
        topic: its name.
        patience_seconds: how long the store may refuse.
    """

    root: str
    topic: str
    patience_seconds: float

    def __call__(self, frames: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        """Land what a task was given.

        Raises:
            StorageError: the store refused for too long.
        """
        shares = _shares(frames)
        store = open_store(self.root)
        landed = [self._land(store, *one) for one in sorted(shares.items())]
        if landed:
            names = [column.split()[0] for column in LANDED.split(", ")]
            yield pa.RecordBatch.from_pylist(
                [dict(zip(names, one, strict=True)) for one in landed], schema=_SCHEMA
            )

    def _land(self, store: ObjectStore, partition: int, share: _Share) -> Sequence[int]:
        patience = Patience(self.patience_seconds, SystemClock())
        files = 0
        for tag, batch in sorted(share.batches.items()):
            for pack in packs_from(batch, tag, lambda _: sent_line):
                land_pack(store, pack, patience)
                files += 1
        if share.junk:
            key, content = self._quarantined(partition, share.junk)
            patience.until_done(lambda: store.create(key, content))
        offsets = share.offsets
        return partition, offsets[0], offsets[-1], len(offsets), files, len(share.junk)

    def _quarantined(self, partition: int, junk: Sequence[Mapping[str, Any]]) -> tuple[str, bytes]:
        """Return the file of what can't be read; its name tells partition and offsets."""
        lines = [{"topic": self.topic, "partition": partition, **one} for one in junk]
        text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in lines)
        content = gzip.compress(text.encode(), compresslevel=QUICK_LEVEL, mtime=0)
        sha256 = hashlib.sha256(content).hexdigest()
        first, last = junk[0]["offset"], junk[-1]["offset"]
        name = f"p{partition}~o{first}_{last}~{sha256[:16]}{SUFFIX}"
        return f"{QUARANTINE}{self.topic}/{name}", content


_SCHEMA = pa.schema(
    [
        (name, pa.int32() if form == "int" else pa.int64())
        for name, form in (column.split() for column in LANDED.split(", "))
    ]
)


def _shares(frames: Iterable[pa.RecordBatch]) -> Mapping[int, _Share]:
    """Read records, each into the share of its partition: nothing hangs on how tasks are cut."""
    shares: dict[int, _Share] = {}
    reader = RecordReader()
    for frame in frames:
        read = ("partition", "offset", "key", "value", "ids", "times", INTERVAL)
        columns = [frame.column(name).to_pylist() for name in read]
        for place, (partition, offset, *parts) in enumerate(zip(*columns, strict=True)):
            share = shares.setdefault(partition, _Share())
            share.offsets.append(offset)
            try:
                sent = reader.read(*parts)
            except BronzeError as error:
                share.junk.append(_junk(frame, place, str(error.what)))
                continue
            batch = share.batches.setdefault(sent.tag, Batch())
            batch.of(sent.stream).add(sent.received, parts[1], sent.ids, sent.times)
    return shares


def _junk(frame: pa.RecordBatch, place: int, reason: str) -> Mapping[str, Any]:
    """Return a record that can't be read as it was, with its place and the reason."""
    held = {name: frame.column(name)[place].as_py() for name in ("offset", "timestamp", "headers")}
    return {
        "offset": held["offset"],
        "kafka_timestamp": to_iso(held["timestamp"]),
        "reason": reason,
        "headers": [
            [one["key"], *_bytes("value", one["value"]).values()] for one in held["headers"] or ()
        ],
        **_bytes("key", frame.column("key")[place].as_py()),
        **_bytes("value", frame.column("value")[place].as_py()),
    }


def _bytes(name: str, content: bytes | None) -> dict[str, str | None]:
    """Return bytes as a field: base64 says nothing false of any of them."""
    return {f"{name}_base64": None if content is None else base64.b64encode(content).decode()}
