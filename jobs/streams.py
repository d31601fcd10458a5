"""Streams that end by themselves: one query and one checkpoint a dataset, `availableNow`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from py4j.protocol import Py4JError
from pyspark.errors import StreamingQueryException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.storagelevel import StorageLevel

from jobs.context import Context
from jobs.faults import of_spark
from jobs.options import kinds_of
from lake.bronze import SUFFIX
from lake.errors import BronzeError, CandlelakeError

log = logging.getLogger(__name__)

#: A restored file may be years older than the newest one; Spark would skip it in silence.
MAX_FILE_AGE = "36500d"
KEPT = StorageLevel.MEMORY_AND_DISK
Batch = Callable[[DataFrame, int], None]


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


def checkpoint(context: Context, name: str) -> str:
    """Return where the stream keeps its position."""
    generation = application(context, name).rpartition(":")[2]
    return context.store.location(f"checkpoints/{name}/{generation}")


def drain(context: Context, name: str, stream: DataFrame, process: Batch) -> None:
    """Run the stream until all that has landed is processed.

    Raises:
        CandlelakeError: what `process` raised, as it was.
        BronzeError: a bronze file can't be read.
    """
    raised: list[CandlelakeError] = []

    def keep_error(batch: DataFrame, batch_id: int) -> None:
        # Spark turns it off for streams; a batch is planned as any other query
        batch.sparkSession.conf.set("spark.sql.adaptive.enabled", "true")
        try:
            process(batch, batch_id)
        except CandlelakeError as error:
            raised.append(error)
            raise

    query = (
        stream.writeStream.foreachBatch(keep_error)
        .option("checkpointLocation", checkpoint(context, name))
        .trigger(availableNow=True)
        .start()
    )
    try:
        query.awaitTermination()
    except (StreamingQueryException, Py4JError) as error:
        if raised:
            raise raised[0] from None
        raise _explained(name, error) from error


def _explained(name: str, error: Exception) -> CandlelakeError:
    text = str(error)
    if "EOFException" in text or "ZipException" in text or "not a gzip file" in text:
        return BronzeError(
            "a bronze file is corrupt, the stream stopped before it",
            where=name,
            hint="Run `candlelake doctor`: it moves the file to bronze/_corrupt; then run again.",
        )
    return of_spark(error, name)
