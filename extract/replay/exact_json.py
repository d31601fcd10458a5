"""Reads and writes JSON without a float: a number stays the very text that it was."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal


class Number(str):
    """A JSON number, kept as its text: `59432.50` stays `59432.50`."""

    __slots__ = ()


def parse(body: bytes) -> object:
    """Return the document of a JSON body; its numbers are `Number`."""
    return json.loads(body, parse_float=Number, parse_int=Number)


def number(value: Decimal) -> Number:
    """Return a decimal as Deribit prints it: no exponent, one decimal at least."""
    digits = f"{value:f}"
    whole, _, fraction = digits.partition(".")
    return Number(f"{whole}.{fraction.rstrip('0') or '0'}")


def write(value: object) -> str:
    """Return compact JSON, keys in their given order.

    Raises:
        TypeError: the value is of a kind that JSON does not have here, floats among them.
    """
    if isinstance(value, Number):
        return str.__str__(value)
    if value is None or isinstance(value, str | bool | int):
        return json.dumps(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(k)}:{write(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(map(write, value)) + "]"
    raise TypeError(f"a {type(value).__name__} has no exact JSON form: {value!r}")


def write_bytes(value: object) -> bytes:
    """Return `write(value)` as UTF-8."""
    return write(value).encode()
