"""Checksums of a set of rows, whatever their order and partitions."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812

_LANES = (1, 2)
_MODULUS = Decimal(2**63)


def checksum(columns: Sequence[Column], when: Column) -> Column:
    """Return the aggregate that identifies the rows for which `when` holds: 32 hex digits.

    Two lanes, each the sum of 64-bit hashes of the row, modulo 2^63: it depends on the rows alone,
    not on their order or place, and equal sets of rows give equal checksums. It guards against
    accidents, not against somebody who wants two sets to look alike. No row gives zeros.
    """
    lanes = [_lane(salt, columns, when) for salt in _LANES]
    return F.concat(*[F.lower(F.lpad(F.hex(lane), 16, "0")) for lane in lanes])


def _lane(salt: int, columns: Sequence[Column], when: Column) -> Column:
    hashed = F.when(when, F.xxhash64(F.lit(salt), *columns)).cast("decimal(20,0)")
    total = F.coalesce(F.sum(hashed), F.lit(Decimal(0)))
    return F.pmod(total, F.lit(_MODULUS)).cast("bigint")
