"""Bronze: the envelope keeps every byte, the name its coverage, and nothing leaves its folder."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lake.bronze import (
    ALL_INSTRUMENTS,
    BronzeName,
    Coverage,
    Envelope,
    decoded,
    encoded,
    folder,
    parse_name,
    read_lines,
    to_file,
    to_line,
)
from lake.errors import BronzeError

ENVELOPE = Envelope(
    exchange="binance",
    kind="spot",
    dataset="agg_trades",
    instrument="BTCUSDT",
    mode="history",
    region="local",
    request={"url": "https://h/api", "method": "GET", "params": {"symbol": "BTCUSDT"}},
    status=200,
    end_download_timestamp=datetime(2024, 1, 1, 0, 0, 1, 5, tzinfo=UTC),
    knowledge_timestamp=datetime(2024, 1, 1, 0, 0, 2, tzinfo=UTC),
    run_id="run",
    sequence=1,
    body=b'[{"p":"42283.58000000"}]',
)
COVERAGE = Coverage(10, 20, 1_704_067_200_000, 1_704_067_260_000)


def with_body(body: bytes) -> Envelope:
    return dataclasses.replace(ENVELOPE, body=body)


def named(instrument: str, **changes: Any) -> BronzeName:
    name = BronzeName("agg_trades", "binance", "spot", instrument, "history", COVERAGE)
    return dataclasses.replace(name, **changes)


def only_record(envelope: Envelope) -> dict[str, Any]:
    (record,) = read_lines(to_file([envelope]))
    return record


def test_an_envelope_is_one_line_with_its_body_last() -> None:
    assert to_line(ENVELOPE) == (
        b'{"exchange":"binance","kind":"spot","dataset":"agg_trades","instrument":"BTCUSDT",'
        b'"mode":"history","region":"local",'
        b'"request":"{\\"method\\": \\"GET\\", \\"params\\": {\\"symbol\\": \\"BTCUSDT\\"}, '
        b'\\"url\\": \\"https://h/api\\"}",'
        b'"status":200,"end_download_timestamp":"2024-01-01T00:00:01.000005Z",'
        b'"knowledge_timestamp":"2024-01-01T00:00:02.000000Z","run_id":"run","sequence":1,'
        b'"body":"[{\\"p\\":\\"42283.58000000\\"}]"}\n'
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b'{"cut":"in ha',
        b'"',
        b"\\",
        b"'\"'",
        b"\x00\x01\x1f\x7f",
        b"a\r\nb\rc\nd",
        "\u2028\u2029\u0085\ufeff".encode(),
        b"\xef\xbb\xbf[]",
        "币安人生 😀".encode(),
        b'{"price":1.10000000000000000001e-8}',
    ],
)
def test_a_text_body_comes_back_byte_for_byte_from_one_line(body: bytes) -> None:
    line = to_line(with_body(body))

    assert len(line.splitlines()) == 1
    assert line.endswith(b"\n")
    assert "body_base64" not in json.loads(line)
    assert only_record(with_body(body))["body"] == body


@given(st.text(st.characters(max_codepoint=0x200), max_size=40))
def test_a_body_is_written_as_any_writer_of_json_would(text: str) -> None:
    line = to_line(with_body(text.encode()))

    record = json.loads(line)
    assert line == json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    assert record["body"] == text


@pytest.mark.parametrize("body", [b"\xff\xfe", b"\xed\xa0\x80", b"\x1f\x8b\x08\x00", b"ok\x80"])
def test_a_body_that_is_not_utf8_is_kept_in_base64(body: bytes) -> None:
    record = json.loads(to_line(with_body(body)))

    assert record["body_base64"] == base64.b64encode(body).decode()
    assert "body" not in record
    assert only_record(with_body(body))["body"] == body


@given(
    bodies=st.lists(st.one_of(st.binary(), st.text().map(lambda t: t.encode("utf-8", "replace"))))
)
def test_any_bodies_come_back_in_their_order(bodies: list[bytes]) -> None:
    content = to_file([with_body(body) for body in bodies])

    assert [record["body"] for record in read_lines(content)] == bodies


def test_the_same_envelopes_give_the_same_bytes() -> None:
    first = to_file([ENVELOPE, with_body(b"2")])
    other_order = {"params": {"symbol": "BTCUSDT"}, "method": "GET", "url": "https://h/api"}
    second = to_file([dataclasses.replace(ENVELOPE, request=other_order), with_body(b"2")])

    assert first == second
    assert first[4:8] == b"\x00\x00\x00\x00"  # the gzip header's own time


def test_half_a_surrogate_pair_is_refused_and_named() -> None:
    with pytest.raises(BronzeError, match="UTF-8"):
        to_line(dataclasses.replace(ENVELOPE, instrument="\ud800"))
    with pytest.raises(BronzeError, match="UTF-8"):
        encoded("\ud800")


GOOD = to_file([ENVELOPE])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty file is no gzip"),
        pytest.param(GOOD[:-9], id="cut short"),
        pytest.param(GOOD[: len(GOOD) // 2], id="cut in half"),
        pytest.param(GOOD[:15] + b"\xff\xff\xff\xff" + GOOD[19:], id="spoilt in the middle"),
        pytest.param(GOOD[:-8] + b"\x00" * 8, id="wrong check sum"),
        pytest.param(b"plain text", id="no gzip"),
        pytest.param(gzip.compress(b"no json\n"), id="no json"),
        pytest.param(gzip.compress(b"[]\n"), id="no object"),
        pytest.param(gzip.compress(b"{}\n"), id="no body"),
        pytest.param(gzip.compress(b'{"body_base64":"*"}\n'), id="no base64"),
        pytest.param(gzip.compress(b'{"body":"\xff"}\n'), id="not utf-8"),
    ],
)
def test_a_broken_file_is_one_bronze_error_that_says_what_to_do(content: bytes) -> None:
    with pytest.raises(BronzeError, match="doctor"):
        list(read_lines(content))


def test_a_name_says_what_its_file_covers() -> None:
    assert named("BTCUSDT").key == (
        "bronze/agg_trades/binance/spot/2024-01/"
        "BTCUSDT~history~i10_20~t1704067200000_1704067260000.ndjson.gz"
    )
    assert named("BTCUSDT", tag="1m").key.endswith("~t1704067200000_1704067260000~1m.ndjson.gz")


def test_the_folder_is_the_month_of_its_beginning_in_utc() -> None:
    last_millisecond = Coverage(0, 0, 1_706_745_599_999, 1_706_745_600_000)

    assert "/2024-01/" in named("X", coverage=last_millisecond).key


WILD = [
    "BTCUSDT",
    "",
    "%",
    "%25",
    "%41",
    ".",
    "..",
    "...",
    "../../etc/passwd",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "~",
    "a~history~i1_2~t3_4",
    "with space",
    "A=B",
    "_all",
    "_x",
    ".hidden",
    "{a,b}[c]*?",
    "币安人生USDT",
    "é",
    "e\u0301",
    "a\nb",
    "a\x00b",
    "BTC-27JUN25-1_5-C",
    "bronze",
    ".ndjson.gz",
]


@pytest.mark.parametrize("instrument", WILD)
def test_a_wild_name_comes_back_and_stays_in_its_folder(instrument: str) -> None:
    name = named(instrument)
    home = "bronze/agg_trades/binance/spot/2024-01/"

    assert parse_name(name.key) == name
    assert name.key.startswith(home)
    assert "/" not in name.key.removeprefix(home)
    assert decoded(encoded(instrument)) == instrument


@pytest.mark.parametrize("instrument", WILD)
def test_spark_passes_over_no_name_and_reads_no_pattern_into_it(instrument: str) -> None:
    file = named(instrument).key.rpartition("/")[2]

    assert not file.startswith((".", "_"))
    assert not set(file) & set("{}[]*?\\,:=")
    assert file.isascii()


def test_the_file_of_many_instruments_is_not_hidden_from_spark() -> None:
    assert encoded(ALL_INSTRUMENTS) == "%5Fall"


names = st.text(max_size=20)
ids = st.integers(min_value=-(2**63), max_value=2**63 - 1)
times = st.integers(min_value=0, max_value=253_402_300_799_999)


@given(
    exchange=names,
    kind=names,
    instrument=names,
    coverage=st.builds(Coverage, ids, ids, times, times),
    tag=st.from_regex(r"\A[A-Za-z0-9.-]{0,12}\Z"),
)
def test_any_name_is_parsed_back_or_refused(
    exchange: str, kind: str, instrument: str, coverage: Coverage, tag: str
) -> None:
    name = BronzeName("trades", exchange, kind, instrument, "live", coverage, tag)
    try:
        key = name.key
    except BronzeError:
        assert len(encoded(instrument)) > 100  # numbers, tag and suffix take at most 155
        return
    parts = key.split("/")

    assert parse_name(key) == name
    assert parse_name(f"/a/lake/bronze/x/{key}") == name
    assert len(parts) == 6
    assert not any(part in ("", ".", "..") for part in parts)


@given(names, names)
def test_two_names_never_share_an_encoding(one: str, other: str) -> None:
    assume(one != other)
    assert encoded(one) != encoded(other)
    assert (
        encoded(one).casefold() != encoded(other).casefold() or one.casefold() == other.casefold()
    )


def test_the_exchange_and_kind_cannot_climb_either() -> None:
    assert folder("trades", "..", ".") == "bronze/trades/%2E%2E/%2E/"
    assert folder("trades", "", "a/b") == "bronze/trades/%/a%2Fb/"


def test_the_longest_name_is_what_file_systems_take() -> None:
    room = 255 - len(named("x").key.rpartition("/")[2]) + 1

    assert parse_name(named("x" * room).key).instrument == "x" * room
    with pytest.raises(BronzeError, match="255 bytes"):
        _ = named("x" * (room + 1)).key
    with pytest.raises(BronzeError, match="255 bytes"):
        _ = named("币" * 40).key


@pytest.mark.parametrize(
    "changes",
    [
        {"coverage": Coverage(1, 2, -1, 5)},
        {"coverage": Coverage(1, 2, 10**18, 10**18)},
        {"tag": "a/b"},
        {"tag": "a~b"},
        {"tag": "1m_x"},
    ],
)
def test_what_no_name_can_say_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BronzeError):
        _ = named("BTCUSDT", **changes).key


@pytest.mark.parametrize(
    "key",
    [
        "",
        "x",
        "bronze/agg_trades/binance/spot/2024-01/x.ndjson.gz",
        "bronze/agg_trades/binance/spot/X~history~i1_2~t3_4.ndjson.gz",
        "silver/agg_trades/binance/spot/1970-01/X~history~i1_2~t3_4.ndjson.gz",
        "bronze/candles/binance/spot/1970-01/X~history~i1_2~t3_4.ndjson.gz",
        "bronze/agg_trades/binance/spot/1970-02/X~history~i1_2~t3_4.ndjson.gz",
        "bronze/agg_trades/binance/spot/1970-01/X~guess~i1_2~t3_4.ndjson.gz",
        "bronze/agg_trades/binance/spot/1970-01/X~history~i01_2~t3_4.ndjson.gz",
        "bronze/agg_trades/binance/spot/1970-01/X~history~i\u0661_2~t3_4.ndjson.gz",
        "bronze/agg_trades/binance/spot/1970-01/_all~history~i1_2~t3_4.ndjson.gz",
        "bronze/agg_trades/binance/spot/1970-01/%zz~history~i1_2~t3_4.ndjson.gz",
        "bronze/agg_trades/binance/spot/1970-01/%FF~history~i1_2~t3_4.ndjson.gz",
        "bronze/agg_trades/binance/spot/1970-01/X~history~i1_2~t3_4.ndjson",
        "bronze/agg_trades/../spot/1970-01/X~history~i1_2~t3_4.ndjson.gz",
        "bronze/agg_trades/binance/spot/1970-01/X~history~i1_2~t9999999999999999_4.ndjson.gz",
    ],
)
def test_a_key_that_is_no_bronze_name_is_refused(key: str) -> None:
    with pytest.raises(BronzeError, match="no name of a bronze file"):
        parse_name(key)
