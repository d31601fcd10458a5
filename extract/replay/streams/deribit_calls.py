"""Answers JSON-RPC calls on a Deribit connection: subscriptions here, the rest by the venue."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping

from extract.replay.answer import Answer
from extract.replay.deribit import PREFIX, RpcError
from extract.replay.engine import Engine
from extract.replay.exchange_clock import DERIBIT
from extract.replay.limits import CreditBucket
from extract.replay.streams.connection import Connection
from extract.replay.streams.deribit_sources import RawRefusedError
from extract.replay.streams.heartbeat import DeribitKeeper
from extract.replay.streams.pacing import Pacer

Parameters = Mapping[str, object]

MOST_CHANNELS = 500
TOO_MANY_REQUESTS = 10028


class DeribitCalls:
    """What one connection may call."""

    def __init__(
        self,
        engine: Engine,
        pacer: Pacer,
        credits_left: CreditBucket,
        connection: Connection,
        keeper: DeribitKeeper,
    ) -> None:
        self._engine = engine
        self._pacer = pacer
        self._credits = credits_left
        self._connection = connection
        self._keeper = keeper
        self._methods: Mapping[str, Callable[[Parameters], object]] = {
            "public/subscribe": self._subscribe,
            "public/unsubscribe": self._unsubscribe,
            "public/unsubscribe_all": self._unsubscribe_all,
            "public/set_heartbeat": self._set_heartbeat,
            "public/disable_heartbeat": self._disable_heartbeat,
        }

    async def answer(self, text: str) -> None:
        """Answer one call; one who has no credits left loses the connection too."""
        call = _parsed(text)
        name = str(call.get("method", ""))
        if name == "public/test":
            self._keeper.tested()
        method = self._methods.get(name)
        answer = self._own(call, method) if method else await self._of_venue(name, text)
        self._connection.answer(answer.body)
        if answer.status == 429:
            self._connection.hang_up()

    def _own(self, call: Parameters, method: Callable[[Parameters], object]) -> Answer:
        parameters = call.get("params")
        status = 200
        try:
            result = method(parameters if isinstance(parameters, dict) else {})
            outcome: Mapping[str, object] = {"result": result}
        except RpcError as error:
            outcome, status = {"error": error.error}, error.status
        query = self._engine.query(DERIBIT, PREFIX, parameters={}, headers={})
        return self._engine.deribit.envelope(query, outcome, identity=call.get("id"), status=status)

    async def _of_venue(self, method: str, text: str) -> Answer:
        query = self._engine.query(
            DERIBIT, f"{PREFIX}/{method}", parameters={}, headers={}, body=text.encode()
        )
        outcome = self._engine.serve(query, "")
        if outcome.stall_seconds:
            await asyncio.sleep(outcome.stall_seconds)
        return outcome.answer

    def _subscribe(self, parameters: Parameters) -> list[str]:
        channels = _channels(parameters)
        if not self._credits.take():
            raise RpcError(TOO_MANY_REQUESTS, "too_many_requests", status=429)
        if self._connection.is_refused(channels):
            raise RpcError(13028, "temporarily_unavailable")
        try:
            granted = [name for name in channels if self._pacer.source(DERIBIT, name) is not None]
        except RawRefusedError as error:
            text = "raw_subscriptions_not_available_for_unauthorized"
            raise RpcError(13778, text) from error
        self._connection.subscribe(granted)
        return granted

    def _unsubscribe(self, parameters: Parameters) -> list[str]:
        taken = [name for name in _channels(parameters) if name in self._connection.streams]
        self._connection.unsubscribe(taken)
        return taken

    def _unsubscribe_all(self, _: Parameters) -> str:
        self._connection.unsubscribe(self._connection.streams)
        return "ok"

    def _set_heartbeat(self, parameters: Parameters) -> str:
        interval = parameters.get("interval")
        smallest = self._engine.rules.streams.smallest_heartbeat_seconds
        if not isinstance(interval, int) or interval < smallest:
            raise _invalid("interval")
        self._keeper.set_interval(interval)
        return "ok"

    def _disable_heartbeat(self, _: Parameters) -> str:
        self._keeper.set_interval(None)
        return "ok"


def _parsed(text: str) -> Parameters:
    """Return the call; what is none is left for the venue to refuse."""
    try:
        call = json.loads(text, parse_float=str)
    except ValueError:
        return {}
    return call if isinstance(call, dict) else {}


def _channels(parameters: Parameters) -> list[str]:
    channels = parameters.get("channels")
    named = isinstance(channels, list) and all(isinstance(name, str) for name in channels)
    if not isinstance(channels, list) or not named or len(channels) > MOST_CHANNELS:
        raise _invalid("channels")
    return channels


def _invalid(parameter: str) -> RpcError:
    data = {"reason": "wrong format", "param": parameter}
    return RpcError(-32602, "Invalid params", data=data)
