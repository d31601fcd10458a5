"""Which venue module collects an exchange's streams."""

from __future__ import annotations

import json
from collections.abc import Sequence

from extract.live import binance, deribit
from extract.live.collector import Subscribed
from lake.errors import UsageError
from lake.settings import Settings


def subscribed(
    settings: Settings,
    exchange: str,
    kind: str,
    instruments: Sequence[str],
    wanted: Sequence[str],
    *,
    discovered: Sequence[bytes] = (),
) -> Subscribed:
    """Return the streams of instruments with the venue that gives them.

    Args:
        settings: where the exchange is.
        exchange: `binance` or `deribit`.
        kind: the venue's segment.
        instruments: the venue's names.
        wanted: our names of streams; the default ones where none is named.
        discovered: the bodies that list the instruments: Deribit's name their price indices.

    Raises:
        UsageError: the exchange or a stream is unknown.
    """
    if exchange == "binance":
        streams = binance.streams_of(settings, kind, instruments, wanted)
        return Subscribed(binance.BinanceStreams(settings, kind, streams), streams)
    if exchange != "deribit":
        raise UsageError(f"{exchange} has no streams here", hint="Known are binance, deribit.")
    documents = [json.loads(body, parse_float=str) for body in discovered]
    indices = deribit.price_indices(documents, instruments)
    streams = deribit.streams_of(settings, kind, instruments, wanted, indices=indices)
    return Subscribed(deribit.DeribitStreams(settings, kind, streams), streams)
