"""Records of the topic: read back they make the very files that straight landing makes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from extract.live.batch import Batch
from extract.live.lines import Stamp
from extract.live.packs import packs_from, packs_of, tag_of
from extract.live.stream import Stream
from extract.live.topic_records import Record, RecordReader, Sent, records_of, sent_line
from lake.errors import BronzeError

NOON = datetime(2025, 3, 5, 12, tzinfo=UTC)
MARCH_5 = 1_741_132_800_000
STAMP = Stamp("eu_west 1", "run-1", NOON)
BTC = Stream("binance", "spot", "trades", "BTCUSDT", "btcusdt@trade", {"stream": "btcusdt@trade"})
DERIBIT = Stream("deribit", "future", "trades", "BTC-PERPETUAL", "trades.BTC-PERPETUAL.100ms", {})
BARS = Stream("binance", "spot", "klines", "BTCUSDT", "btcusdt@kline_1m", {}, "1m")
UNNAMED = Stream("binance", "spot", "trades", "", "", {})


def batch_of_all_sorts() -> Batch:
    """Frames with a row, with many, with none; what repeats and what is no text."""
    batch = Batch()

    def add(stream: Stream, body: bytes, *rows: tuple[int, int]) -> None:
        received = NOON + timedelta(microseconds=batch.messages)
        batch.of(stream).add(received, body, [one for one, _ in rows], [time for _, time in rows])
        batch.messages += 1

    for one in (7, 8, 11, 8):
        add(BTC, f'{{"t":{one},"s":"a\\n,\\"sequence\\":1"}}'.encode(), (one, MARCH_5 + one))
    add(BTC, b"\x00\xff no text")
    add(DERIBIT, b"[1,2,3]", (100, MARCH_5), (101, MARCH_5), (102, MARCH_5 + 5))
    add(BARS, '{"k":{"x":true},"é":1}'.encode(), (MARCH_5, MARCH_5))
    add(BARS, b'{"k":{"x":false}}')
    add(UNNAMED, b"odd")
    return batch


def read_back(records: Iterable[Record]) -> list[tuple[Sent, bytes]]:
    reader = RecordReader()
    return [(read(reader, record), record.value) for record in records]


def read(reader: RecordReader, record: Record) -> Sent:
    headers = {name: value for name, value in record.headers if isinstance(value, bytes)}
    parts = (headers.get(name) for name in ("ids", "times", "interval"))
    return reader.read(record.key, record.value, *parts)


def test_records_make_the_files_that_their_batch_makes() -> None:
    batch = batch_of_all_sorts()
    again = Batch()
    for sent, value in read_back(records_of(batch, STAMP)):
        assert sent.tag == tag_of(STAMP)
        again.of(sent.stream).add(sent.received, value, sent.ids, sent.times)

    straight = [(pack.key, pack.content, pack.coverage) for pack in packs_of(batch, STAMP)]
    landed = [
        (pack.key, pack.content, pack.coverage)
        for pack in packs_from(again, tag_of(STAMP), lambda _: sent_line)
    ]
    assert len(straight) == 3
    assert landed == straight


def test_a_record_tells_its_stream_its_rows_and_its_envelope() -> None:
    (record, *_) = records_of(batch_of_all_sorts(), STAMP)
    envelope = json.loads(record.value)

    assert record.key == b"binance/spot/btcusdt@trade"
    assert record.headers == [("ids", b"7"), ("times", b"1741132800007")]
    assert not record.value.endswith(b"\n")
    assert envelope["end_download_timestamp"] == "2025-03-05T12:00:00.000000Z"
    assert (envelope["run_id"], envelope["body"]) == (
        "run-1",
        '{"t":7,"s":"a\\n,\\"sequence\\":1"}',
    )


def good() -> dict[str, Any]:
    (record, *_) = records_of(batch_of_all_sorts(), STAMP)
    found: dict[str, Any] = json.loads(record.value)
    return found


def changed(**fields: Any) -> bytes:
    return json.dumps({**good(), **fields}, separators=(",", ":")).encode()


def without(name: str) -> bytes:
    envelope = good()
    del envelope[name]
    return json.dumps(envelope, separators=(",", ":")).encode()


def reordered() -> bytes:
    envelope = good()
    body = envelope.pop("body")
    return json.dumps({"body": body, **envelope}, separators=(",", ":")).encode()


JUNK = {
    "none": None,
    "empty": b"",
    "binary": b"\x00\xff\xfe",
    "json of another kind": b'{"hello":"world"}',
    "a list": b"[]",
    "cut": changed()[:-20],
    "two lines": changed().replace(b',"kind"', b',\n"kind"'),
    "blanks": json.dumps(good()).encode(),
    "body first": reordered(),
    "no dataset": changed(dataset="books"),
    "a history": changed(mode="history"),
    "no run": without("run_id"),
    "no body": without("body"),
    "two bodies": changed(body_base64="AA=="),
    "a number as a body": changed(body=1),
    "no base64": without("body")[:-1] + b',"body_base64":"***"}',
    "packed already": changed(packed_as="bronze/x"),
    "no number": changed(sequence="1"),
    "no time": changed(end_download_timestamp="yesterday"),
    "a time without a zone": changed(knowledge_timestamp="2025-03-05T12:00:00"),
    "a name that no file can bear": changed(instrument="X" * 300),
    "a run that leaves its folder": changed(run_id="../../x"),
    "half of a pair": changed(instrument="\ud800"),
}


@pytest.mark.parametrize("value", JUNK.values(), ids=JUNK.keys())
def test_what_is_no_record_of_a_collectors_is_refused(value: bytes | None) -> None:
    with pytest.raises(BronzeError):
        RecordReader().read(b"key", value, b"7", b"1741132800007", None)


@pytest.mark.parametrize(
    ("ids", "times", "interval"),
    [
        (b"7", None, None),
        (b"7,8", b"1741132800007", None),
        (b"seven", b"1741132800007", None),
        (b"7", b"-1", None),
        (b"7", b"99999999999999999", None),
        (b"1" * 30, b"1741132800007", None),
        (b"7", b"1741132800007", b"a/b"),
        (b"7", b"1741132800007", b"\xff"),
    ],
)
def test_headers_that_no_name_could_say_are_refused(
    ids: bytes, times: bytes | None, interval: bytes | None
) -> None:
    with pytest.raises(BronzeError):
        RecordReader().read(b"key", changed(), ids, times, interval)


def test_the_record_that_the_junk_was_made_of_is_read() -> None:
    sent = RecordReader().read(b"key", changed(), b"7", b"1741132800007", None)

    assert (sent.ids, sent.times, sent.received) == ([7], [1_741_132_800_007], NOON)
    assert (sent.stream.instrument, sent.stream.channel) == ("BTCUSDT", "key")
