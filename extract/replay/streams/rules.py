"""The limits and the pace of the websocket side, the exchanges' own by default."""

from __future__ import annotations

from dataclasses import dataclass

from extract.replay.limits import CreditRules

# Deribit, rate limits of 2026-05.
SUBSCRIBE_CREDITS = CreditRules(cost=3_000, pool=30_000)


@dataclass(frozen=True, slots=True)
class StreamRules:
    """What a connection may do, and how it is served; seconds are real ones, at any speed.

    Attributes:
        tick_seconds: between two turns at which all that has happened is sent.
        buffer_bytes: what a slow client may leave unread before it is disconnected.
        most_streams: streams of one Binance connection.
        messages_per_second: that a Binance client may send, pings and pongs included.
        ping_seconds: between two pings of Binance's.
        pong_seconds: how long a client may take to answer a ping with its own payload.
        life_seconds: how long a Binance connection lives.
        notice_seconds: how long before its end the `serverShutdown` event comes.
        connections: attempts that Binance admits in `connections_seconds`, by segment.
        deribit_connections: that Deribit holds at once.
        smallest_heartbeat_seconds: that Deribit's `public/set_heartbeat` takes.
        subscribe_credits: Deribit's pool for `public/subscribe`, one for all connections.
    """

    tick_seconds: float = 0.01
    buffer_bytes: int = 16 * 1024 * 1024
    most_streams: int = 1024
    messages_per_second: int = 5
    ping_seconds: float = 20
    pong_seconds: float = 60
    life_seconds: float = 86_400
    notice_seconds: float = 600
    connections: int = 300
    connections_seconds: float = 300
    deribit_connections: int = 32
    smallest_heartbeat_seconds: int = 10
    subscribe_credits: CreditRules = SUBSCRIBE_CREDITS
