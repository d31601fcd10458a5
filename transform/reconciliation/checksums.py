"""Checksums of a set of rows, whatever their order and partitions."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

#: The hash of a row, and the hash of that hash: what adds up in one does not in the other.
LANES = ("first", "second")
_MODULUS = 2**63


def checksum(frame: DataFrame, names: Sequence[str], when: Column) -> Column:
    """Return the aggregate of these columns that identifies the rows for which `when` holds.

    It is 32 hex digits.

    Two lanes, each the sum of 64-bit hashes of the row, modulo 2^63: it depends on the rows alone,
    not on their order or place, and equal sets of rows give equal checksums. It guards against
    accidents, not against somebody who wants two sets to look alike. No row gives zeros.

    What is hashed is a row of BIGINTs, which can be hashed without Spark as well: see `longs`.
    """
    kinds = [field.dataType for field in frame.select(*names).schema]
    parts = [
        long for name, kind in zip(names, kinds, strict=True) for long in longs(F.col(name), kind)
    ]
    first = F.xxhash64(*parts)
    return told([F.when(when, lane) for lane in (first, F.xxhash64(first))])


def longs(column: Column, kind: T.DataType) -> list[Column]:
    """Return a value as BIGINTs.

    A decimal is its whole part and then what is behind the point, as an integer of as many
    digits as its type has there; a text is its hash.
    """
    if isinstance(kind, T.DecimalType):
        whole = F.floor(column)
        behind = F.pmod(column, F.lit(Decimal(1))) * F.lit(Decimal(10**kind.scale))
        # no quantity that an exchange has named needs more than 64 bits; if one does, its hash does
        return [F.coalesce(whole.try_cast("bigint"), F.xxhash64(whole)), behind.cast("bigint")]
    return [column.cast("bigint") if isinstance(kind, T.IntegralType) else F.xxhash64(column)]


def told(lanes: Sequence[Column]) -> Column:
    """Return the checksum, an aggregate, from numbers of rows: hashes, or sums of them."""
    return _hex([F.coalesce(F.sum(_exact(lane)), F.lit(Decimal(0))) for lane in lanes])


def added(name: str) -> Column:
    """Return the aggregate that is the checksum of the union of sets that share no row."""
    lanes = [F.conv(F.substr(name, F.lit(first), F.lit(16)), 16, 10) for first in (1, 17)]
    return _hex([F.sum(_exact(lane)) for lane in lanes])


def written(totals: Sequence[int]) -> str:
    """Return the checksum of rows whose hashes come to these sums, one a lane."""
    return "".join(f"{total % _MODULUS:016x}" for total in totals)


def _exact(number: Column) -> Column:
    return number.cast("decimal(20,0)")


def _hex(totals: Sequence[Column]) -> Column:
    lanes = [F.pmod(total, F.lit(Decimal(_MODULUS))).cast("bigint") for total in totals]
    return F.concat(*[F.lower(F.lpad(F.hex(lane), 16, "0")) for lane in lanes])
