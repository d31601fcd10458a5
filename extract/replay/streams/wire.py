"""Writes websocket frames as a server does, unmasked (RFC 6455, 5.2), many of them at once."""

from __future__ import annotations

from collections.abc import Iterable

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
FINAL = 0x80
SHORT_LENGTH = 126
LONG_LENGTH = 65_536


def frame(payload: bytes, code: int = TEXT) -> bytes:
    """Return one whole message as a frame."""
    return _head(FINAL | code, len(payload)) + payload


def frames(payloads: Iterable[bytes]) -> bytes:
    """Return text messages as the bytes of their frames, one after the other."""
    return b"".join([frame(payload) for payload in payloads])


def _head(first: int, length: int) -> bytes:
    if length < SHORT_LENGTH:
        return bytes((first, length))
    if length < LONG_LENGTH:
        return bytes((first, 126, length >> 8, length & 255))
    return bytes((first, 127)) + length.to_bytes(8, "big")
