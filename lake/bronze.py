"""The layout of bronze: the envelope around each raw answer, and names that carry the coverage."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args
from urllib.parse import quote, unquote

from lake.clock import from_millis, to_iso
from lake.errors import BronzeError

log = logging.getLogger(__name__)

Mode = Literal["history", "archive", "live"]
Dataset = Literal[
    "trades",
    "agg_trades",
    "klines",
    "instruments",
    "index_prices",
    "funding_rates",
    "mark_klines",
]

SUFFIX = ".ndjson.gz"
#: Twice as fast as 6 on recorded aggregates, for 3 % (REST) to 8 % (archive lines) more bytes.
LEVEL = 4
#: A third less time than 4 on archive lines, for a fifth more bytes; their zip is kept anyway.
QUICK_LEVEL = 1
#: Where records of a topic lie that no dataset could be told of; no stream reads it.
QUARANTINE = "bronze/quarantine/"
#: What JSON writes as it is, but for the line feed: nearly all lines of the archive.
PLAIN = bytes(set(range(0x20, 0x7F)) - set(b'"\\')) + b"\n"
#: What file systems allow one name to have, in bytes.
LONGEST_NAME = 255
#: What a packed or unnamed file carries in the place of an instrument.
ALL_INSTRUMENTS = "_all"
#: What stands for an empty name; no other name is encoded so.
EMPTY = "%"
DATASETS: tuple[str, ...] = get_args(Dataset)
#: What a tag can't say of a region, and how much of it is said.
_NOT_IN_TAG = re.compile(r"[^A-Za-z0-9]+")
REGION_SHOWN = 20
_NAME = re.compile(
    r"(?P<instrument>[^~/]+)~(?P<mode>history|archive|live)"
    r"~i(?P<first_id>-?[0-9]+)_(?P<last_id>-?[0-9]+)"
    r"~t(?P<from_ms>[0-9]+)_(?P<until_ms>[0-9]+)"
    r"(?:~(?P<tag>[A-Za-z0-9.-]+?))?\.ndjson\.gz"
)


@dataclass(frozen=True, slots=True)
class Envelope:
    """One raw answer and where it came from.

    Attributes:
        request: how the exchange was asked: `method`, `url` and `params` (no secrets), or the
            zip, its SHA-256 and the first line of this part, or the stream.
        status: the HTTP status, 0 where there is none.
        sequence: the line's number within its file, from 1.
        end_download_timestamp: the moment the data entered the process.
        knowledge_timestamp: right before it was persisted.
        body: exactly as received, byte for byte.
        instrument: the venue's name, empty where the answer is of many instruments.
        packed_as: in a packed file, the key of the file that the answer would be alone, whose
            name says which ids it covers; else empty.
    """

    exchange: str
    kind: str
    dataset: Dataset
    instrument: str
    mode: Mode
    region: str
    request: dict[str, Any]
    status: int
    end_download_timestamp: datetime
    knowledge_timestamp: datetime
    run_id: str
    sequence: int
    body: bytes
    packed_as: str = ""


def to_line(envelope: Envelope) -> bytes:
    """Return the envelope as one line of JSON, its body last, ending in a line feed.

    The body is one JSON string field, or `body_base64` where it is not UTF-8.

    Raises:
        BronzeError: another field can't be written as UTF-8 (half of a surrogate pair).
    """
    record: dict[str, Any] = {
        "exchange": envelope.exchange,
        "kind": envelope.kind,
        "dataset": envelope.dataset,
        "instrument": envelope.instrument,
        "mode": envelope.mode,
        "region": envelope.region,
        "request": json.dumps(envelope.request, ensure_ascii=False, sort_keys=True),
        "status": envelope.status,
        "end_download_timestamp": to_iso(envelope.end_download_timestamp),
        "knowledge_timestamp": to_iso(envelope.knowledge_timestamp),
        "run_id": envelope.run_id,
        "sequence": envelope.sequence,
    }
    if envelope.packed_as:
        record["packed_as"] = envelope.packed_as
    if not envelope.body.translate(None, PLAIN):
        head = _text(record, envelope).removesuffix(b"}")
        return b'%b,"body":"%b"}\n' % (head, envelope.body.replace(b"\n", b"\\n"))
    try:
        record["body"] = envelope.body.decode("utf-8")
    except UnicodeDecodeError:
        record["body_base64"] = base64.b64encode(envelope.body).decode("ascii")
    return _text(record, envelope) + b"\n"


def _text(record: Mapping[str, Any], envelope: Envelope) -> bytes:
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    return _utf8(text, of=f"the envelope of {envelope.instrument!a}")


def to_file(envelopes: Iterable[Envelope], *, level: int = LEVEL) -> bytes:
    """Return the bytes of a bronze file; the same envelopes give the same bytes."""
    return gzip.compress(b"".join(map(to_line, envelopes)), compresslevel=level, mtime=0)


def read_lines(content: bytes) -> Iterator[dict[str, Any]]:
    """Yield the envelopes of a bronze file as plain records, `body` as bytes.

    Raises:
        BronzeError: the file is no whole gzip, or a line is no envelope.
    """
    try:
        lines = _decompressed(content).splitlines(keepends=False)
        for line in lines:
            yield _record(line)
    except (OSError, EOFError, zlib.error, ValueError, KeyError) as error:
        raise BronzeError(
            f"a bronze file can't be read: {error}", hint="Run `candlelake doctor`."
        ) from error


def _decompressed(content: bytes) -> bytes:
    if not content:
        raise EOFError("it is empty")  # to gzip, nothing is whole
    return gzip.decompress(content)


def _record(line: bytes) -> dict[str, Any]:
    record = json.loads(line)
    if not isinstance(record, dict):
        raise ValueError("a line is no envelope")  # noqa: TRY004 - told as any other broken line
    in_base64 = record.pop("body_base64", None)
    if in_base64 is None:
        record["body"] = str(record["body"]).encode("utf-8")
    else:
        record["body"] = base64.b64decode(in_base64, validate=True)
    return record


@dataclass(frozen=True, slots=True, order=True)
class Coverage:
    """What one bronze file of one instrument holds, as its name says.

    All that the exchange answered for the ids `first_id` to `last_id` (both inclusive) is in the
    file. Joined with files whose ids adjoin, it holds each row with a time in
    [`from_ms`, `until_ms`). `first_id` above `last_id` says that the exchange had nothing there.
    For bars the ids are open times in ms, for funding rates times.
    """

    first_id: int
    last_id: int
    from_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class BronzeName:
    """The name of a bronze file: dataset, exchange, kind, then what it covers.

    `tag` tells apart what covers the same: the bar interval, the first characters of an
    archive file's SHA-256. `pack` is the key of the packed file that holds it, empty where it is
    a file of its own.
    """

    dataset: Dataset
    exchange: str
    kind: str
    instrument: str
    mode: Mode
    coverage: Coverage
    tag: str = field(default="")
    pack: str = field(default="", compare=False)

    @property
    def file(self) -> str:
        """The key of the object that holds it."""
        return self.pack or self.key

    @property
    def key(self) -> str:
        """The object's key below the lake's root; the folder is the month of `from_ms`.

        Raises:
            BronzeError: what it covers can't be said in a name, or no file system would take it.
        """
        held = self.coverage
        tail = f"~{self.tag}" if self.tag else ""
        name = (
            f"{encoded(self.instrument)}~{self.mode}~i{held.first_id}_{held.last_id}"
            f"~t{held.from_ms}_{held.until_ms}{tail}{SUFFIX}"
        )
        if len(name) > LONGEST_NAME or _NAME.fullmatch(name) is None:
            raise _no_name(name)
        try:
            month = from_millis(held.from_ms).strftime("%Y-%m")
        except OverflowError as error:
            raise _no_name(name) from error
        return f"{folder(self.dataset, self.exchange, self.kind)}{month}/{name}"


def folder(dataset: Dataset, exchange: str, kind: str) -> str:
    """Return the prefix of a dataset of one venue and kind; one folder a month lies below it."""
    return f"bronze/{dataset}/{encoded(exchange)}/{encoded(kind)}/"


def encoded(name: str) -> str:
    """Percent-encode a venue's name so that it can never leave its folder or break a name.

    Raises:
        BronzeError: the name is no text (half of a surrogate pair).
    """
    _utf8(name, of=f"the name {name!a}")
    # quote() leaves '.', '_', '-' and '~' alone: '~' parts the name, and '..' would climb
    quoted = quote(name, safe="").replace("~", "%7E").replace("..", "%2E%2E")
    if quoted.startswith((".", "_")):
        # Spark passes over files and folders that begin so, without a word
        quoted = f"%{ord(quoted[0]):02X}{quoted[1:]}"
    return quoted or EMPTY


def shown_region(region: str) -> str:
    """Return as much of a region as a tag can say: letters, digits and single hyphens."""
    return _NOT_IN_TAG.sub("-", region)[:REGION_SHOWN].strip("-")


def decoded(name: str) -> str:
    """Return the venue's name that `encoded` made this of."""
    return "" if name == EMPTY else unquote(name)


def parse_name(key: str) -> BronzeName:
    """Read a bronze file's key back into what it covers; whatever lies before `bronze/` is cut off.

    Raises:
        BronzeError: the key is not of this layout.
    """
    parts = key.split("/")[-6:]
    match = _NAME.fullmatch(parts[-1])
    if len(parts) != 6 or parts[0] != "bronze" or parts[1] not in DATASETS or match is None:
        raise _no_name(key)
    numbers = (int(match[name]) for name in ("first_id", "last_id", "from_ms", "until_ms"))
    name = BronzeName(
        parts[1],  # type: ignore[arg-type]
        decoded(parts[2]),
        decoded(parts[3]),
        decoded(match["instrument"]),
        match["mode"],  # type: ignore[arg-type]
        Coverage(*numbers),
        match["tag"] or "",
    )
    if name.key != "/".join(parts):
        raise _no_name(key)
    return name


def known_names(keys: Iterable[str]) -> Iterator[BronzeName]:
    """Read the keys that name bronze files; any other is passed over with a word in the log."""
    for key in keys:
        try:
            yield parse_name(key)
        except BronzeError:
            log.warning("not a bronze name, passed over: %s", key)


def _no_name(name: str) -> BronzeError:
    return BronzeError(
        f"{name[:300]!a} is no name of a bronze file",
        hint=f"Names are at most {LONGEST_NAME} bytes long and say whole, positive times.",
    )


def _utf8(text: str, *, of: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BronzeError(f"{of} can't be written as UTF-8") from error
