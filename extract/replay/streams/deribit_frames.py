"""Writes the messages of Deribit's subscriptions."""

from __future__ import annotations

from extract.replay.exact_json import write_bytes


def notification(channel: str, data: object) -> bytes:
    """Return the message of a subscription: no id, and the channel beside the data."""
    params = {"channel": channel, "data": data}
    return write_bytes({"jsonrpc": "2.0", "method": "subscription", "params": params})
