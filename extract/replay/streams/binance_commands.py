"""Answers what a client of Binance's streams sends: SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS."""

from __future__ import annotations

import json
import re

from extract.replay.exact_json import write_bytes
from extract.replay.streams.connection import Connection
from extract.replay.streams.rules import StreamRules

METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
IDENTITY = re.compile(r"[0-9A-Za-z]{1,36}")
LARGEST_IDENTITY = 2**63 - 1


class CommandError(Exception):
    """A command that is answered with an error object."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(message)


def answer(connection: Connection, text: str, rules: StreamRules) -> bytes:
    """Carry out one command and return the message that answers it.

    Error objects are those of binance-spot-api-docs, web-socket-streams.md.
    """
    identity: object = None
    try:
        command = _command(text)
        identity = _identity(command)
        return write_bytes({"result": _result(connection, command, rules), "id": identity})
    except CommandError as error:
        body: dict[str, object] = {"code": error.code, "msg": error.message}
        return write_bytes(body if identity is None else {**body, "id": identity})


def _command(text: str) -> dict[str, object]:
    try:
        command = json.loads(text, parse_float=str)
    except ValueError as error:
        line, column = getattr(error, "lineno", 1), getattr(error, "colno", 1)
        place = f"line {line} column {column}"
        raise CommandError(3, f"Invalid JSON: expected value at {place}") from error
    if not isinstance(command, dict) or "method" not in command:
        place = f"line 1 column {len(text)}"
        raise CommandError(2, f"Invalid request: missing field `method` at {place}")
    return command


def _identity(command: dict[str, object]) -> object:
    identity = command.get("id")
    whole = isinstance(identity, int) and not isinstance(identity, bool)
    if whole and abs(int(str(identity))) <= LARGEST_IDENTITY:
        return identity
    if isinstance(identity, str) and IDENTITY.fullmatch(identity):
        return identity
    if identity is None and "id" in command:
        return None
    raise CommandError(2, "Invalid request: request ID must be an unsigned integer")


def _result(connection: Connection, command: dict[str, object], rules: StreamRules) -> object:
    method = command["method"]
    if method == "LIST_SUBSCRIPTIONS":
        return connection.streams
    if method == "SUBSCRIBE":
        subscribe(connection, _streams(command), rules)
        return None
    if method == "UNSUBSCRIBE":
        connection.unsubscribe(_streams(command))
        return None
    if method in ("SET_PROPERTY", "GET_PROPERTY"):
        return _property(connection, command)
    expected = ", ".join(f"`{name}`" for name in METHODS)
    message = f"unknown variant `{method}`, expected one of {expected} at line 1 column 28"
    raise CommandError(2, f"Invalid request: {message}")


def subscribe(connection: Connection, streams: list[str], rules: StreamRules) -> None:
    """Subscribe a connection to streams; a name that the exchange has not is taken, and silent.

    Raises:
        CommandError: the connection would take too many.
    """
    if len({*connection.streams, *streams}) > rules.most_streams:
        raise CommandError(2, "Invalid request: too many parameters")
    if connection.is_refused(streams):
        raise CommandError(2, "Invalid request: subscription refused")
    connection.subscribe(streams)


def _streams(command: dict[str, object]) -> list[str]:
    streams = command.get("params")
    if not isinstance(streams, list) or not all(isinstance(name, str) for name in streams):
        raise CommandError(2, "Invalid request: params must be an array of stream names")
    return streams


def _property(connection: Connection, command: dict[str, object]) -> object:
    wanted = command.get("params")
    name, *values = wanted if isinstance(wanted, list) and wanted else [None]
    if not isinstance(name, str):
        raise CommandError(2, "Invalid request: property name must be a string")
    if name != "combined":
        raise CommandError(0, "Unknown property")
    if command["method"] == "GET_PROPERTY":
        return connection.is_wrapped
    if len(values) != 1 or not isinstance(values[0], bool):
        raise CommandError(1, "Invalid value type: expected Boolean")
    connection.is_wrapped = values[0]
    return None
