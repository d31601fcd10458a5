"""Which venue module collects an exchange's streams, and who connects to them."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace

from extract.live import binance, ccxt_streams, deribit
from extract.live.collector import Subscribed
from extract.venues.binance import segment
from lake.errors import UsageError
from lake.settings import Settings

log = logging.getLogger(__name__)

NATIVE = "native"
VENDORS = (NATIVE, ccxt_streams.VENDOR)


def known_vendor(name: str) -> str:
    """Return the name of a vendor.

    Raises:
        UsageError: there is no such vendor.
    """
    if name not in VENDORS:
        raise UsageError(f"there is no vendor '{name}'", hint=f"Known are {', '.join(VENDORS)}.")
    return name


def subscribed(
    settings: Settings,
    exchange: str,
    kind: str,
    instruments: Sequence[str],
    wanted: Sequence[str],
    *,
    discovered: Sequence[bytes] = (),
    vendor: str = NATIVE,
) -> Subscribed:
    """Return the streams of instruments with the venue that gives them.

    Args:
        settings: where the exchange is.
        exchange: `binance` or `deribit`.
        kind: the venue's segment.
        instruments: the venue's names.
        wanted: our names of streams; the default ones where none is named.
        discovered: the bodies that list the instruments: Deribit's name their price indices.
        vendor: who connects: we ourselves, or CCXT.

    Raises:
        UsageError: the exchange or a stream is unknown, or the vendor does not have it.
    """
    if exchange not in ("binance", "deribit"):
        raise UsageError(f"{exchange} has no streams here", hint="Known are binance, deribit.")
    by_ccxt = known_vendor(vendor) == ccxt_streams.VENDOR
    if by_ccxt:
        wanted = _offered(settings, exchange, kind, wanted)
    if exchange == "binance":
        streams = binance.streams_of(settings, kind, instruments, wanted)
        one = Subscribed(binance.BinanceStreams(settings, kind, streams), streams)
    else:
        documents = [json.loads(body, parse_float=str) for body in discovered]
        indices = deribit.price_indices(documents, instruments)
        streams = deribit.streams_of(settings, kind, instruments, wanted, indices=indices)
        one = Subscribed(deribit.DeribitStreams(settings, kind, streams), streams)
    return _through_ccxt(settings, one, exchange, kind) if by_ccxt else one


def _offered(settings: Settings, exchange: str, kind: str, wanted: Sequence[str]) -> Sequence[str]:
    """Return what CCXT gives of what is wanted; what it leaves out of the defaults is said."""
    is_binance = exchange == "binance"
    defaults = binance.defaults(settings, kind) if is_binance else deribit.DEFAULTS
    found = ccxt_streams.offered(exchange, wanted, defaults)
    if not wanted and (absent := [name for name in defaults if name not in found]):
        log.warning("CCXT has no stream %s of %s: not collected", ", ".join(absent), exchange)
    return found


def _through_ccxt(settings: Settings, one: Subscribed, exchange: str, kind: str) -> Subscribed:
    """Return the same streams, connected to by CCXT."""
    # ccxt takes a second to load
    from extract.live.ccxt_connection import CcxtConnection  # noqa: PLC0415

    is_binance = exchange == "binance"
    place = segment(settings, kind) if is_binance else settings.exchanges.deribit
    url = ccxt_streams.socket_url(exchange, place.ws_url)
    streams = [ccxt_streams.labelled(stream, url) for stream in one.streams]
    venue = (
        binance.BinanceStreams(settings, kind, streams)
        if is_binance
        else deribit.DeribitStreams(settings, kind, streams)
    )
    venue.url, venue.unnamed = url, ccxt_streams.labelled(venue.unnamed, url)
    venue.limits = replace(venue.limits, channels=ccxt_streams.CHANNELS)
    return Subscribed(venue, streams, CcxtConnection)
