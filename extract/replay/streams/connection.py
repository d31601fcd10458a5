"""One client's connection: what it takes, and the way out to it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from extract.replay.faults import MESSAGE_KINDS, FaultBoard
from extract.replay.streams import wire
from extract.replay.streams.batch import Batch, wrapped
from extract.replay.streams.rules import StreamRules
from extract.replay.streams.stream_faults import SPOILING

LINGER_SECONDS = 2


class Connection:
    """A client's subscriptions and its outgoing frames, written in one piece a turn.

    Frames go to the transport as they are: a websocket library's own writer takes one message at a
    time, which is too slow for a busy exchange and can't misbehave.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        segment: str,
        rules: StreamRules,
        faults: FaultBoard,
        *,
        is_wrapped: bool,
    ) -> None:
        self.segment = segment
        self.is_wrapped = is_wrapped
        self._subscribed: dict[str, None] = {}
        self._transport = transport
        self._rules = rules
        self._faults = faults
        self._out: list[bytes] = []
        self._first: dict[str, bytes] = {}
        self._is_silent = False

    @property
    def streams(self) -> Sequence[str]:
        """The streams or channels subscribed to, in their order."""
        return list(self._subscribed)

    @property
    def is_closed(self) -> bool:
        """Whether nothing more can be sent."""
        return self._transport.is_closing()

    def is_refused(self, streams: Sequence[str]) -> bool:
        """Say whether a fault refuses one of these subscriptions."""
        kinds = ("refused_subscription",)
        return any(self._faults.take(self.segment, name, kinds) for name in streams)

    def subscribe(self, streams: Sequence[str]) -> None:
        """Take more streams; one that is taken already stays so."""
        self._subscribed |= dict.fromkeys(streams)

    def unsubscribe(self, streams: Sequence[str]) -> None:
        """Take streams no longer."""
        for stream in streams:
            self._subscribed.pop(stream, None)

    def first(self, stream: str) -> bytes:
        """Return the first message of a stream that this connection was sent."""
        return self._first[stream]

    def deliver(self, batch: Batch) -> None:
        """Put a stream's messages into this turn, spoilt where a fault orders it."""
        self._first.setdefault(batch.stream, batch.payloads[0])
        if not self._faults.may_spoil_streams():
            self._out.append(batch.wrapped_frames if self.is_wrapped else batch.frames)
            return
        for payload in batch.payloads:
            if self.is_closed:
                return
            fault = self._faults.take(self.segment, batch.stream, MESSAGE_KINDS)
            if fault is None:
                self.queue(batch.stream, payload)
            else:
                SPOILING[fault.kind](self, batch.stream, payload, fault)

    def queue(self, stream: str, payload: bytes) -> None:
        """Put one message of a stream into this turn."""
        self._out.append(wire.frame(wrapped(stream, payload) if self.is_wrapped else payload))

    def queue_frames(self, frames: bytes) -> None:
        """Put frames, or what is none, into this turn."""
        self._out.append(frames)

    def answer(self, payload: bytes) -> None:
        """Send the answer to a command at once."""
        self._send(wire.frame(payload))

    def pong(self, payload: bytes) -> None:
        """Answer a client's ping at once."""
        self._send(wire.frame(payload, wire.PONG))

    def ping(self, payload: bytes) -> bool:
        """Ping the client; False where a fault keeps the ping back."""
        if self._faults.take(self.segment, "ping", ("no_ping",)) is not None:
            return False
        self._send(wire.frame(payload, wire.PING))
        return True

    def beat(self, payload: bytes) -> None:
        """Send a heartbeat, unless a fault keeps it back."""
        if self._faults.take(self.segment, "heartbeat", ("no_ping",)) is None:
            self._send(wire.frame(payload))

    def close(self, code: int, reason: str) -> None:
        """End the connection with a close frame."""
        self._out.append(wire.frame(code.to_bytes(2, "big") + reason.encode(), wire.CLOSE))
        self.hang_up()

    def go_silent(self) -> None:
        """Send nothing more, pings and answers included, and stay open."""
        self.flush()
        self._is_silent = True

    def _send(self, frames: bytes) -> None:
        self._out.append(frames)
        self.flush()

    def flush(self) -> None:
        """Send what this turn has gathered; a client that leaves too much unread is cut off."""
        if self._out and not self.is_closed and not self._is_silent:
            self._transport.write(b"".join(self._out))
            if self._transport.get_write_buffer_size() > self._rules.buffer_bytes:
                self._transport.abort()
        self._out.clear()

    def hang_up(self) -> None:
        """Send what is gathered and drop the connection, without a word."""
        self.flush()
        self._transport.close()
        # what a client has not read by then is lost: it may never read it
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self._transport.abort)
