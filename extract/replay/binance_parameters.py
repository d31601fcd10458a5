"""Reads a Binance request's parameters; bad ones get the exchange's own error bodies."""

from __future__ import annotations

import re
from collections.abc import Mapping

from extract.replay.answer import Answer, json_answer
from lake.errors import CandlelakeError

MICROS_FLOOR = 10**15  # a time of 16 digits is in microseconds
INTERVALS = frozenset(
    ["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M"]
)
INTEGER = re.compile(r"[0-9]{1,20}")


class RefusalError(CandlelakeError):
    """The exchange answers this request with an error body."""

    def __init__(self, code: int, message: str, *, status: int = 400) -> None:
        self.code = code
        self.message = message
        self.status = status
        super().__init__(message, where=str(code))

    def answer(self) -> Answer:
        """Return `{"code":…,"msg":…}`."""
        return json_answer({"code": self.code, "msg": self.message}, status=self.status)


def required(parameters: Mapping[str, str], name: str) -> str:
    """Return a parameter that must be there, else refuse with -1102."""
    value = parameters.get(name, "")
    if not value:
        message = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
        raise RefusalError(-1102, message)
    return value


def integer(parameters: Mapping[str, str], name: str) -> int | None:
    """Return a whole number, None where it was not sent; anything else is refused with -1100."""
    text = parameters.get(name)
    if text is None:
        return None
    if not INTEGER.fullmatch(text):
        legal = "legal range is '^[0-9]{1,20}$'."
        raise RefusalError(-1100, f"Illegal characters found in parameter '{name}'; {legal}")
    return int(text)


def symbol_of(parameters: Mapping[str, str], known: Mapping[str, object]) -> str:
    """Return the symbol asked for, else refuse with -1121."""
    symbol = required(parameters, "symbol")
    if symbol not in known:
        raise RefusalError(-1121, "Invalid symbol.")
    return symbol


def interval_of(parameters: Mapping[str, str], *, seconds_allowed: bool) -> str:
    """Return the interval asked for (`1s` is spot's alone), else refuse with -1120."""
    interval = required(parameters, "interval")
    if interval not in INTERVALS and not (seconds_allowed and interval == "1s"):
        raise RefusalError(-1120, "Invalid interval.")
    return interval


def start_micros(parameters: Mapping[str, str]) -> int | None:
    """Return `startTime` in microseconds; it may be sent in ms or µs."""
    value = integer(parameters, "startTime")
    return value if value is None or value >= MICROS_FLOOR else value * 1000


def end_micros(parameters: Mapping[str, str]) -> int | None:
    """Return the last microsecond that `endTime` includes; it may be sent in ms or µs."""
    value = integer(parameters, "endTime")
    return value if value is None or value >= MICROS_FLOOR else value * 1000 + 999


def clamped_limit(parameters: Mapping[str, str], *, default: int, most: int) -> int:
    """Return the rows asked for; more than `most` is cut to it, as spot does."""
    limit = integer(parameters, "limit")
    if limit is None:
        return default
    if limit == 0:
        raise RefusalError(-1130, "Data sent for parameter 'limit' is not valid.")
    return min(limit, most)


def strict_limit(parameters: Mapping[str, str], *, default: int, most: int) -> int:
    """Return the rows asked for; more than `most` is refused with -1130, as futures do."""
    limit = integer(parameters, "limit")
    if limit is None:
        return default
    if not 0 < limit <= most:
        raise RefusalError(-1130, "Data sent for parameter 'limit' is not valid.")
    return limit
