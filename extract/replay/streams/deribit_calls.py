"""Answers JSON-RPC calls on a Deribit connection: subscriptions here, the rest by the venue."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

from extract.replay.deribit import PREFIX, RpcError
from extract.replay.engine import Engine
from extract.replay.exchange_clock import DERIBIT
from extract.replay.limits import CreditBucket
from extract.replay.streams.connection import Connection
from extract.replay.streams.deribit_sources import RawRefusedError
from extract.replay.streams.pacing import Pacer

MOST_CHANNELS = 500
TOO_MANY_REQUESTS = 10028


class DeribitCalls:
    """The methods of one replay exchange's connections."""

    def __init__(self, engine: Engine, pacer: Pacer) -> None:
        self._engine = engine
        self._pacer = pacer
        self._credits = CreditBucket(engine.rules.streams.subscribe_credits, engine.rules.seconds)
        self._methods = {
            "public/subscribe": self._subscribe,
            "public/unsubscribe": self._unsubscribe,
        }

    async def handle(self, connection: Connection, text: str) -> None:
        """Answer one call; one who has no credits left loses the connection too."""
        call = _parsed(text)
        method = self._methods.get(str(call.get("method")))
        if method is None:
            await self._ask_venue(connection, str(call.get("method", "")), text)
            return
        query = self._engine.query(DERIBIT, PREFIX, parameters={}, headers={})
        try:
            outcome: Mapping[str, object] = {"result": method(connection, _channels(call))}
        except RpcError as error:
            outcome = {"error": error.error}
        answer = self._engine.deribit.envelope(query, outcome, identity=call.get("id"), status=200)
        self._send(connection, answer.body)

    async def _ask_venue(self, connection: Connection, method: str, text: str) -> None:
        query = self._engine.query(
            DERIBIT, f"{PREFIX}/{method}", parameters={}, headers={}, body=text.encode()
        )
        outcome = self._engine.serve(query, "")
        if outcome.stall_seconds:
            await asyncio.sleep(outcome.stall_seconds)
        self._send(connection, outcome.answer.body)

    def _send(self, connection: Connection, body: bytes) -> None:
        connection.answer(body)
        if b'"error":{"code":%d,' % TOO_MANY_REQUESTS in body:
            connection.hang_up()

    def _subscribe(self, connection: Connection, channels: list[str]) -> list[str]:
        if not self._credits.take():
            raise RpcError(TOO_MANY_REQUESTS, "too_many_requests")
        try:
            granted = [name for name in channels if self._pacer.source(DERIBIT, name) is not None]
        except RawRefusedError as error:
            text = "raw_subscriptions_not_available_for_unauthorized"
            raise RpcError(13778, text) from error
        connection.subscribe(granted)
        return granted

    def _unsubscribe(self, connection: Connection, channels: list[str]) -> list[str]:
        taken = [name for name in channels if name in connection.streams]
        connection.unsubscribe(taken)
        return taken


def _parsed(text: str) -> dict[str, object]:
    """Return the call; what is none is left for the venue to refuse."""
    try:
        call = json.loads(text, parse_float=str)
    except ValueError:
        return {}
    return call if isinstance(call, dict) else {}


def _channels(call: Mapping[str, object]) -> list[str]:
    parameters = call.get("params")
    channels = parameters.get("channels") if isinstance(parameters, dict) else None
    named = isinstance(channels, list) and all(isinstance(name, str) for name in channels)
    if not isinstance(channels, list) or not named or len(channels) > MOST_CHANNELS:
        data = {"reason": "wrong format", "param": "channels"}
        raise RpcError(-32602, "Invalid params", data=data)
    return channels
