"""Answers without the rows of settled blocks: what is left of them is parsed as any other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import orjson
import pyarrow as pa
from pyspark.sql import types as T  # noqa: N812
from pyspark.sql.pandas.types import to_arrow_schema

from jobs.reconciliation.settled import written
from jobs.reconciliation.settled.tallies import Tally

#: Lines of bronze files.
LINES = T.StructType(
    [T.StructField("bronze_file", T.StringType()), T.StructField("value", T.StringType())]
)


@dataclass(frozen=True, slots=True)
class Trim:
    """What Spark calls with lines of a side, `LINES`; it gives back the same lines, shortened.

    A line that could not be counted stays as it is.

    Attributes:
        tally: what has counted the lines.
        side: `left` or `right`.
        unsettled: by instrument, the blocks whose rows stay.
    """

    tally: Tally
    side: str
    unsettled: Mapping[str, frozenset[int]]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Shorten what a task was given."""
        reader = written.Reader(self.tally.dataset)
        schema = to_arrow_schema(LINES)
        for batch in batches:
            files, lines = (batch.column(name).to_pylist() for name in LINES.fieldNames())
            shorter = [
                self._line(reader, file, line) for file, line in zip(files, lines, strict=True)
            ]
            yield pa.RecordBatch.from_arrays([pa.array(files), pa.array(shorter)], schema=schema)

    def _line(self, reader: written.Reader, file: str, line: str) -> str:
        envelope = self.tally.envelope(self.side, line)
        if envelope is None or self.tally.read(reader, (self.side, file, 0), envelope) is None:
            return line
        stay = self.unsettled.get(envelope["instrument"], frozenset())
        body = reader.without(
            envelope["body"],
            is_json=not self.tally.is_archived(self.side),
            dropped=lambda identifier: identifier & -self.tally.block not in stay,
        )
        return orjson.dumps({**envelope, "body": body}).decode()
