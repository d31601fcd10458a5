"""Turns what Spark and Kafka's client raise of a topic into one clear line."""

from __future__ import annotations

import re

from jobs.faults import of_spark
from lake.errors import CandlelakeError, StorageError

_GONE = re.compile(r"Could not read records in offset (\[\d+, ?\d+\)) for topic partition (\S+)")
_ANEW = re.compile(r"Partition (\S+) offset was changed from (\d+) to (\d+)")
_OURS = re.compile(r"lake\.errors\.\w+: ([^\n]+)")
_FROM_START = (
    "Start it once with --from-start: it lands all that the topic holds, what comes twice counts"
    " once; then `candlelake repair` asks the exchange for trades that are missing."
)


class EndedAfterCommitError(StorageError):
    """Spark has committed the batch and stumbled then: the next start goes on behind it."""


def explained(name: str, error: Exception) -> CandlelakeError:
    """Return the fault of a topic that an error of Spark's stands for.

    Args:
        name: the stream's.
        error: what Spark or its gateway raised.
    """
    text = str(error)
    if "IterableOps.map" in text and "Option.get" in text:
        # Spark 4.1.1, since the change of SPARK-53560: where it takes up a batch that was not
        # committed it has not asked for the newest offsets, which its metrics want afterwards
        return EndedAfterCommitError("Spark ended after a batch that it took up", where=name)
    return (
        _lost(text, name) or _unreachable(text, name) or _own(text, name) or of_spark(error, name)
    )


def _lost(text: str, name: str) -> CandlelakeError | None:
    if gone := _GONE.search(text):
        return StorageError(
            f"the topic has deleted records before they were read: offsets {gone[1]} of {gone[2]}",
            where=name,
            hint=f"Its retention is too short, or this job was away too long. {_FROM_START}",
        )
    if anew := _ANEW.search(text):
        return StorageError(
            f"the topic was made anew: {anew[1]} was read to {anew[2]} and ends at {anew[3]}",
            where=name,
            hint=_FROM_START,
        )
    if "may have been lost" in text or "data loss" in text.lower():
        reason = re.search(r"Reason: ([^\n]+)", text)
        return StorageError(
            f"the topic lacks records that were not read: {reason[1] if reason else text[:200]}",
            where=name,
            hint=_FROM_START,
        )
    return None


def _unreachable(text: str, name: str) -> CandlelakeError | None:
    if "UnknownTopicOrPartition" in text:
        return StorageError(
            "there is no such topic",
            where=name,
            hint="Make it, or start a collector with --sink kafka; kafka.topic names it.",
        )
    if "AuthenticationException" in text or "AuthorizationException" in text:
        said = re.search(r"(\w*Auth\w+Exception: [^\n]+)", text)
        return StorageError(
            f"the brokers refuse us: {said[1][:300] if said else ''}",
            where=name,
            hint="See kafka's settings for security, and what the brokers allow.",
        )
    if "kafka" in text and "TimeoutException" in text:
        return StorageError(
            "the brokers did not answer in time",
            where=name,
            hint="See whether they run and kafka.servers is right. Nothing is lost: run again.",
        )
    return None


def _own(text: str, name: str) -> CandlelakeError | None:
    """Return what a worker of Spark's raised of ours, as it said it."""
    said = _OURS.search(text)
    return StorageError(said[1], where=name) if said else None
