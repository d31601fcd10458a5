"""Which streams CCXT gives, and what CCXT has to be told to give them; nothing here loads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from extract.live.stream import Stream
from lake.errors import UsageError

VENDOR = "ccxt"
#: So many channels a message: ccxt.pro takes 200 symbols of Binance, and of Deribit 32,767 bytes.
CHANNELS = 200
#: Our names of the streams that ccxt.pro subscribes to (`watch_trades_for_symbols`,
#: `watch_ohlcv_for_symbols`). Of Deribit's price indices it has none.
OFFERED: Mapping[str, Sequence[str]] = {
    "binance": ("trade", "aggTrade", "kline_1m"),
    "deribit": ("trades", "chart"),
}
#: How ccxt.pro names the streams of trades of an instrument in `params`, by the channel's ending.
NAMED: Mapping[str, Mapping[str, str]] = {
    "@trade": {"name": "trade"},
    "@aggTrade": {"name": "aggTrade"},
    ".100ms": {"interval": "100ms"},
}


def offered(exchange: str, wanted: Sequence[str], defaults: Sequence[str]) -> Sequence[str]:
    """Return what is wanted of an exchange through CCXT; where nothing is named, what it has.

    Raises:
        UsageError: CCXT has no such stream.
    """
    has = OFFERED[exchange]
    for name in wanted:
        if name not in has:
            raise UsageError(
                f"ccxt.pro has no stream '{name}' of {exchange}",
                hint=f"It has {', '.join(has)}; for any other take --vendor native.",
            )
    return wanted or [name for name in defaults if name in has]


def labelled(stream: Stream, url: str) -> Stream:
    """Return a stream whose envelopes say that CCXT asked for it, and where."""
    params = stream.request["params"]
    told = {**params, "vendor": VENDOR} if isinstance(params, dict) else params
    return replace(stream, request={**stream.request, "url": url, "params": told})


def socket_url(exchange: str, ws_url: str) -> str:
    """Return where CCXT connects to: of Binance it numbers its connections."""
    return f"{ws_url}/ws/0" if exchange == "binance" else ws_url


def market(kind: str, instrument: str) -> dict[str, Any]:
    """Return what CCXT has to know of a market to subscribe; its symbol is the venue's name.

    CCXT would load all markets of the exchange over REST; ours have been discovered before.
    """
    is_spot = kind == "spot"
    return {
        "id": instrument,
        "lowercaseId": instrument.lower(),
        "symbol": instrument,
        "type": "spot" if is_spot else "swap",
        "spot": is_spot,
        "contract": not is_spot,
        "option": False,
        "linear": kind == "usdm",
        "inverse": kind == "coinm",
    }


def calls(streams: Sequence[Stream]) -> list[tuple[Mapping[str, str], Sequence[Stream]]]:
    """Return the streams by call: those of trades with their `params`, bars with none."""
    found: dict[str, list[Stream]] = {}
    for stream in streams:
        ending = next((one for one in NAMED if stream.channel.endswith(one)), "")
        found.setdefault(ending, []).append(stream)
    return [(NAMED.get(ending, {}), part) for ending, part in found.items()]
