"""Rows that a comparison reads more than once stay in memory while it lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import DataFrame

from jobs.streams import KEPT
from transform.reconciliation.certificates import Keep


@contextmanager
def keeping() -> Iterator[Keep]:
    """Give a function that keeps the rows of a frame, in memory or on disk, until the end."""
    frames: list[DataFrame] = []

    def keep(frame: DataFrame) -> DataFrame:
        frames.append(frame.persist(KEPT))
        return frames[-1]

    try:
        yield keep
    finally:
        for frame in frames:
            frame.unpersist()
