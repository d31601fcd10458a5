"""Streams: one query and one checkpoint each, that end by themselves or go on until told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from threading import Event
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import StreamingQueryException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.storagelevel import StorageLevel

from jobs.context import Context
from jobs.faults import of_spark
from jobs.options import kinds_of
from lake.bronze import SUFFIX
from lake.errors import BronzeError, CandlelakeError, StorageError

log = logging.getLogger(__name__)

#: A restored file may be years older than the newest one; Spark would skip it in silence.
MAX_FILE_AGE = "36500d"
KEPT = StorageLevel.MEMORY_AND_DISK
Batch = Callable[[DataFrame, int], None]
Explain = Callable[[str, Exception], CandlelakeError]
#: How long a batch has to end where its stream is told to stop.
LEAVE_SECONDS = 30
LOOKS_EVERY_SECONDS = 1


def bronze_lines(context: Context, dataset: str) -> DataFrame:
    """Return the lines of a dataset's bronze files as a stream: `value`, `bronze_file` (a key)."""
    return (
        context.spark.readStream.format("text")
        .option("maxFilesPerTrigger", context.settings.bronze.files_per_batch)
        .option("maxFileAge", MAX_FILE_AGE)
        .option("recursiveFileLookup", "true")
        .option("pathGlobFilter", f"*{SUFFIX}")
        .load(context.store.location(f"bronze/{dataset}"))
        .select("value", _key_column())
    )


def lines_of(context: Context, keys: Sequence[str]) -> DataFrame:
    """Return the lines of these bronze files: `value`, `bronze_file`, as a stream has them.

    Raises:
        BronzeError: one of them is gone.
    """
    folders = {key.rpartition("/")[0] for key in keys}
    held = {name for folder in folders for name in context.store.names(f"{folder}/")}
    gone = [key for key in keys if key not in held]
    if gone:
        raise BronzeError(
            f"{len(gone)} of {len(keys)} bronze files are gone",
            where=gone[0],
            hint="Bring them back from a copy of the lake; bronze is kept for ever.",
        )
    files = context.spark.read.format("text").load([context.store.location(key) for key in keys])
    return files.select("value", _key_column())


def _key_column() -> Column:
    # the path that Spark tells is percent-encoded once more than the key
    path = F.regexp_extract(F.col("_metadata.file_path"), "(bronze/.*)$", 1)
    return F.url_decode(path).alias("bronze_file")


def has_bronze(context: Context, dataset: str) -> bool:
    """Tell whether anything of the dataset has landed: Spark refuses a folder that is not there."""
    return next(context.store.names(f"bronze/{dataset}/"), None) is not None


def exchanges_in(context: Context, dataset: str) -> list[str]:
    """Return the exchanges of which anything of the dataset has landed."""
    return [
        exchange
        for exchange in kinds_of(context.settings)
        if next(context.store.names(f"bronze/{dataset}/{exchange}/"), None) is not None
    ]


def application(context: Context, name: str) -> str:
    """Return the transaction application of a stream; a new checkpoint has a new generation."""
    key = f"checkpoints/{name}/generation"
    context.store.create(key, b"1")
    content = context.store.read(key) or b"1"
    return f"{name}:{content.decode()}"


def begin_anew(context: Context, name: str) -> None:
    """Forget how far the stream is: its next start begins with a new checkpoint.

    Raises:
        StorageError: another process has done so at this moment.
    """
    generation = int(application(context, name).rpartition(":")[2])
    key = f"checkpoints/{name}/generation"
    found = context.store.read_versioned(key)
    content = str(generation + 1).encode()
    if found is None or not context.store.replace(key, content, version=found[1]):
        raise StorageError("the checkpoint is being changed by another process", where=key)


def checkpoint(context: Context, name: str) -> str:
    """Return where the stream keeps its position."""
    generation = application(context, name).rpartition(":")[2]
    return context.store.location(f"checkpoints/{name}/{generation}")


def _explained(name: str, error: Exception) -> CandlelakeError:
    text = str(error)
    if "EOFException" in text or "ZipException" in text or "not a gzip file" in text:
        return BronzeError(
            "a bronze file is corrupt, the stream stopped before it",
            where=name,
            hint="Run `candlelake doctor`: it moves the file to bronze/_corrupt; then run again.",
        )
    return of_spark(error, name)


def drain(context: Context, name: str, stream: DataFrame, process: Batch) -> None:
    """Run the stream until all that has landed is processed.

    Raises:
        CandlelakeError: what `process` raised, as it was.
        BronzeError: a bronze file can't be read.
    """
    query = _Query(context, name, stream, process, _explained)
    query.start(None)
    query.wait(Event())


def follow(
    context: Context,
    name: str,
    stream: DataFrame,
    process: Batch,
    *,
    every_seconds: float | None,
    stopping: Event,
    explained: Explain,
) -> None:
    """Run the stream until all is processed, or every so many seconds until `stopping` is set.

    The batch that is under way then has LEAVE_SECONDS to end; one that takes longer comes again.

    Args:
        context: of the run.
        name: of its checkpoint.
        stream: what is read.
        process: is given each batch and its number.
        every_seconds: None where it ends by itself.
        stopping: ends it between two batches.
        explained: makes an error for the user of one that Spark raised.

    Raises:
        CandlelakeError: what `process` raised, as it was, or what `explained` returns.
    """
    query = _Query(context, name, stream, process, explained)
    query.start(every_seconds)
    query.wait(stopping)


class _Query:
    """A stream that runs, and why it has ended."""

    def __init__(
        self, context: Context, name: str, stream: DataFrame, process: Batch, explained: Explain
    ) -> None:
        self._name = name
        self._process = process
        self._explained = explained
        self._raised: list[CandlelakeError] = []
        self._writer = stream.writeStream.foreachBatch(self._keep_error).option(
            "checkpointLocation", checkpoint(context, name)
        )

    def start(self, every_seconds: float | None) -> None:
        trigger: dict[str, Any] = {"availableNow": True}
        if every_seconds is not None:
            trigger = {"processingTime": f"{round(every_seconds * 1000)} milliseconds"}
        self._query = self._writer.trigger(**trigger).start()

    def wait(self, stopping: Event) -> None:
        """Wait until the stream has ended, or is told to."""
        try:
            while not stopping.is_set():
                if self._query.awaitTermination(LOOKS_EVERY_SECONDS):
                    return
            self._leave()
        except (StreamingQueryException, Py4JError) as error:
            if stopping.is_set():
                # the signal went to Spark as well: what it had not committed, the next start does
                log.info("stopped within a batch: %s", str(error)[:300])
                return
            if self._raised:
                raise self._raised[0] from None
            raise self._explained(self._name, error) from error

    def _leave(self) -> None:
        """Stop between two batches."""
        patience = LEAVE_SECONDS / LOOKS_EVERY_SECONDS
        while self._query.status["isTriggerActive"] and patience > 0:
            patience -= 1
            if self._query.awaitTermination(LOOKS_EVERY_SECONDS):
                return
        self._query.stop()

    def _keep_error(self, batch: DataFrame, batch_id: int) -> None:
        # Spark turns it off for streams; a batch is planned as any other query
        batch.sparkSession.conf.set("spark.sql.adaptive.enabled", "true")
        try:
            self._process(batch, batch_id)
        except CandlelakeError as error:
            self._raised.append(error)
            raise
