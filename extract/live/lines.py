"""Renders envelopes at the rate of a live market: the same bytes as `lake.bronze.to_line`."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from json.encoder import encode_basestring

from extract.live.stream import Stream
from lake.clock import to_iso

#: Of an aware UTC datetime's ISO form: what `to_iso` writes as `Z`.
_UTC = len("+00:00")


@dataclass(frozen=True, slots=True)
class Stamp:
    """What all lines of a file have in common: whose they are and when they were persisted."""

    region: str
    run_id: str
    knowledge_timestamp: datetime


class LineMaker:
    """Makes the lines of one stream; what does not change is rendered once."""

    def __init__(self, stream: Stream, stamp: Stamp) -> None:
        head = {
            "exchange": stream.exchange,
            "kind": stream.kind,
            "dataset": stream.dataset,
            "instrument": stream.instrument,
            "mode": "live",
            "region": stamp.region,
            "request": json.dumps(stream.request, ensure_ascii=False, sort_keys=True),
            "status": 0,
        }
        known = {"knowledge_timestamp": to_iso(stamp.knowledge_timestamp), "run_id": stamp.run_id}
        self._head = f'{_text(head)[:-1]},"end_download_timestamp":"'
        self._known = f'Z",{_text(known)[1:-1]},"sequence":'

    def line(self, received: datetime, sequence: int, packed: str, body: bytes) -> str:
        """Return one line.

        Args:
            received: when the frame entered the process, in UTC.
            sequence: the line's number within its file.
            packed: as `packed_as` returns it.
            body: the frame.
        """
        time = received.isoformat(timespec="microseconds")[:-_UTC]
        try:
            text = f'"body":{encode_basestring(body.decode("utf-8"))}'
        except UnicodeDecodeError:
            text = f'"body_base64":"{base64.b64encode(body).decode("ascii")}"'
        return f"{self._head}{time}{self._known}{sequence},{packed}{text}}}\n"


def packed_as(key: str) -> str:
    """Return the field that names what a packed line would stand under alone, empty for none."""
    return f"{_text({'packed_as': key})[1:-1]}," if key else ""


def _text(record: Mapping[str, object]) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))
