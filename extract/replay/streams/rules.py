"""The limits and the pace of the websocket side, the exchanges' own by default."""

from __future__ import annotations

from dataclasses import dataclass

from extract.replay.limits import CreditRules

# Deribit, rate limits of 2026-05.
SUBSCRIBE_CREDITS = CreditRules(cost=3_000, pool=30_000)


@dataclass(frozen=True, slots=True)
class StreamRules:
    """What a connection may do, and how it is served.

    Attributes:
        tick_seconds: real seconds between two turns at which all that has happened is sent.
        buffer_bytes: what a slow client may leave unread before it is disconnected.
        most_streams: streams of one Binance connection.
        subscribe_credits: Deribit's pool for `public/subscribe`, one for all connections.
    """

    tick_seconds: float = 0.01
    buffer_bytes: int = 8 * 1024 * 1024
    most_streams: int = 1024
    subscribe_credits: CreditRules = SUBSCRIBE_CREDITS
