"""Lines at the rate of a market are the same bytes as those of bronze's own writer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract.live.lines import LineMaker, Stamp, packed_as
from extract.live.stream import Stream
from lake.bronze import Envelope, to_line

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REQUEST = {"url": "wss://x/stream", "method": "SUBSCRIBE", "params": {"stream": "币安@trade"}}
moments = st.integers(0, 4 * 10**15).map(lambda micros: EPOCH + timedelta(microseconds=micros))


def both(
    body: bytes,
    received: datetime = EPOCH,
    persisted: datetime = EPOCH,
    instrument: str = "BTCUSDT",
    packed: str = "",
) -> tuple[bytes, bytes]:
    """Return a line as it is rendered here and as bronze writes it."""
    stream = Stream("binance", "spot", "trades", instrument, "x@trade", REQUEST)
    maker = LineMaker(stream, Stamp("eu-west-1", "run-1", persisted))
    envelope = Envelope(
        exchange="binance",
        kind="spot",
        dataset="trades",
        instrument=instrument,
        mode="live",
        region="eu-west-1",
        request=dict(REQUEST),
        status=0,
        end_download_timestamp=received,
        knowledge_timestamp=persisted,
        run_id="run-1",
        sequence=17,
        body=body,
        packed_as=packed,
    )
    here = maker.line(received, 17, packed_as(packed), body).encode()
    return here, to_line(envelope)


@given(body=st.binary(max_size=80), received=moments, persisted=moments)
def test_any_bytes_make_the_same_line(body: bytes, received: datetime, persisted: datetime) -> None:
    here, there = both(body, received, persisted)

    assert here == there


@given(body=st.text(max_size=40), instrument=st.text(st.characters(codec="utf-8"), max_size=8))
def test_any_text_makes_the_same_line(body: str, instrument: str) -> None:
    here, there = both(body.encode("utf-8", "replace"), instrument=instrument)

    assert here == there


@pytest.mark.parametrize(
    "body",
    [b"", b'{"a":"\\"\\\\"}\r\n\t', b"\x7f\x00\x1f", "\u2028 é 币".encode(), b"\xff\xfe", b"plain"],
)
@pytest.mark.parametrize("packed", ["", "bronze/trades/binance/spot/2025-03/A%2Fx~live~i1_2.gz"])
def test_odd_bytes_and_packed_names_make_the_same_line(body: bytes, packed: str) -> None:
    here, there = both(body, datetime(2025, 3, 1, 12, tzinfo=UTC), packed=packed)

    assert here == there
