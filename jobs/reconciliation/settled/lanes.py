"""The hash behind checksums, for whole arrays: what Spark's `xxhash64` gives of BIGINT columns.

XXH64 of 8 bytes, the hash of one column being the seed of the next
(https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Longs = npt.NDArray[np.int64]
_Words = npt.NDArray[np.uint64]
#: What Spark begins with.
SEED = 42
_PRIME_1, _PRIME_2, _PRIME_3, _PRIME_4, _PRIME_5 = (
    np.uint64(prime)
    for prime in (
        0x9E3779B185EBCA87,
        0xC2B2AE3D27D4EB4F,
        0x165667B19E3779F9,
        0x85EBCA77C2B2AE63,
        0x27D4EB2F165667C5,
    )
)
_EIGHT = np.uint64(8)


def hashed(columns: Iterable[Longs]) -> Longs:
    """Return the hash of each row of these columns, all of one length."""
    found: _Words = np.full(1, SEED, dtype=np.uint64)
    for column in columns:
        found = _step(column.view(np.uint64), found)
    return found.view(np.int64)


def _step(values: _Words, seeds: _Words) -> _Words:
    mixed = _turned(values * _PRIME_2, 31) * _PRIME_1
    mixed ^= seeds + _PRIME_5 + _EIGHT
    mixed = _turned(mixed, 27) * _PRIME_1 + _PRIME_4
    mixed ^= mixed >> np.uint64(33)
    mixed *= _PRIME_2
    mixed ^= mixed >> np.uint64(29)
    mixed *= _PRIME_3
    mixed ^= mixed >> np.uint64(32)
    return mixed


def _turned(words: _Words, bits: int) -> _Words:
    return (words << np.uint64(bits)) | (words >> np.uint64(64 - bits))
