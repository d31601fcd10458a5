"""Turns what Spark raises into one clear line: the fault of S3 that it tells of, else its own."""

from __future__ import annotations

from lake.errors import StorageError


def of_spark(error: Exception, where: str) -> StorageError:
    """Return the fault that an error of Spark's stands for.

    Args:
        error: what Spark or its gateway raised.
        where: what was being read or written.
    """
    # boto3 only where an error has to be told
    from lake.s3 import explained  # noqa: PLC0415

    text = str(error)
    known = explained(text, where)
    if known is not None:
        return known
    first = next((line.strip() for line in text.splitlines() if line.strip()), text)
    return StorageError(
        f"Spark could not go on: {first[:300]}", where=where, hint="Run again: it goes on."
    )
