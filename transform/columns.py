"""Column helpers of the parsers: text to exact numbers, moments and reasons, all without a UDF."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

MICROS_A_DAY = 86_400_000_000
#: From here on a number of the exchange's clock is in microseconds, below it in milliseconds.
FIRST_MICROSECONDS = 10**15
_DECIMAL = r"^-?\d+(?:\.\d+)?\z"
_EXPONENT = r"^-?\d+(?:\.\d+)?[eE][-+]?\d{1,3}\z"
_TRUE, _FALSE = ("true", "True"), ("false", "False")
# eighteen digits always fit a bigint
_INTEGER = r"^-?\d{1,18}\z"


@dataclass(frozen=True, slots=True)
class Fault:
    """A reason to refuse a row, and the condition (true, false or null) under which it holds."""

    holds: Column
    reason: str


@dataclass(frozen=True, slots=True)
class Field:
    """A typed value and what can be wrong with the text that it came from."""

    value: Column
    faults: tuple[Fault, ...]


def reasons(faults: Iterable[Fault]) -> Column:
    """Return the reasons that hold, as ARRAY<STRING>.

    It stands outside whole-stage code generation, and so keeps its many conditions out of the
    method that every sound row runs through: a method above 8,000 bytes is never compiled.
    """
    named = [F.when(fault.holds, F.lit(fault.reason)) for fault in faults]
    return F.array_compact(F.array(*named))


def no_reasons() -> Column:
    """Return an empty ARRAY<STRING>."""
    return F.array().cast("array<string>")


def none_holds(faults: Iterable[Fault]) -> Column:
    """Return whether no fault holds; never null.

    It is one condition on purpose, no chain of ANDs: Spark would push each link down by itself,
    below the parsing, and parse every row once for each.
    """
    # greatest() steps over nulls
    return ~F.greatest(F.lit(False), *[fault.holds for fault in faults])


def fits(kind: T.DecimalType) -> str:
    """Return the pattern of a plain decimal that needs no rounding in this type.

    Zeros beyond the scale are fine; any other digit there is not.
    """
    return rf"-?\d{{1,{kind.precision - kind.scale}}}(?:\.\d{{1,{kind.scale}}}0*)?"


def decimal(text: Column, name: str, kind: T.DecimalType, *, required: bool = True) -> Field:
    """Read a plain decimal; an exponent, or a digit that the type would round, is a fault."""
    fitting = text.rlike(rf"^{fits(kind)}\z")
    plain = text.rlike(_DECIMAL)
    faults = (
        Fault(text.isNotNull() & ~plain, f"{name}_not_a_plain_decimal"),
        Fault(plain & ~fitting, _exceeds(name, kind)),
    )
    return Field(text.try_cast(kind), (*_missing(text, name, required=required), *faults))


def json_number(
    marked: Column, text: Column, name: str, kind: T.DecimalType, *, required: bool = True
) -> Field:
    """Read a JSON number exactly, an exponent included.

    Args:
        marked: the field as sent, null where absent.
        text: its digits, null where it was not sent as a number.
        name: what the reasons call it.
        kind: the type; a value that it would round is a fault.
        required: whether its absence is a fault.
    """
    value = text.try_cast(kind)
    with_exponent = text.rlike(_EXPONENT) & value.isNotNull() & (_decimals(text) <= kind.scale)
    exact = text.rlike(rf"^{fits(kind)}\z") | with_exponent
    number = text.rlike(_DECIMAL) | text.rlike(_EXPONENT)
    faults = (
        Fault(marked.isNotNull() & ~F.coalesce(number, F.lit(False)), f"{name}_not_a_number"),
        Fault(number & ~exact, _exceeds(name, kind)),
    )
    return Field(F.when(exact, value), (*_missing(marked, name, required=required), *faults))


def integer(text: Column, name: str, *, required: bool = True) -> Field:
    """Read an integer of up to eighteen digits."""
    fault = Fault(text.isNotNull() & ~text.rlike(_INTEGER), f"{name}_not_an_integer")
    return Field(text.try_cast("bigint"), (*_missing(text, name, required=required), fault))


def flag(text: Column, name: str) -> Field:
    """Read `true` or `false`; Binance's spot archives write `True` and `False`."""
    fault = Fault(text.isNotNull() & ~text.isin(*_TRUE, *_FALSE), f"{name}_not_a_flag")
    return Field(text.isin(*_TRUE), (*_missing(text, name, required=True), fault))


def micros(sent: Column) -> Column:
    """Return microseconds since the epoch of a sent time in ms or µs, told apart by magnitude."""
    # by its distance from zero: eighteen digits of milliseconds would overflow
    return F.when(F.abs(sent) >= FIRST_MICROSECONDS, sent).otherwise(sent * 1000)


def day(timestamp: str) -> dict[str, Column]:
    """Return year, month and day in UTC of a TIMESTAMP column, whatever the session's zone is."""
    days = F.expr(f"cast(unix_micros({timestamp}) div {MICROS_A_DAY} as int)")
    date = F.date_from_unix_date(days)
    return {"year": F.year(date), "month": F.month(date), "day": F.day(date)}


def all_faults(fields: Iterable[Field]) -> list[Fault]:
    """Return the faults of these fields, in order."""
    return [fault for field in fields for fault in field.faults]


def _missing(text: Column, name: str, *, required: bool) -> tuple[Fault, ...]:
    return (Fault(text.isNull(), f"{name}_missing"),) if required else ()


def _exceeds(name: str, kind: T.DecimalType) -> str:
    return f"{name}_exceeds_decimal_{kind.precision}_{kind.scale}"


def _decimals(text: Column) -> Column:
    """Return how many decimals a number with an exponent needs, at most."""
    fraction = F.length(F.regexp_extract(text, r"\.(\d*?)0*[eE]", 1))
    return fraction - F.regexp_extract(text, r"[eE]\+?(-?\d+)\z", 1).try_cast("int")
