"""Rows of Binance's REST answers and archive lines, counted and hashed block by block of ids.

It reads what is written as usual and keeps every rule, and nothing else: far cheaper than the
parsers of silver, and equal to them where it says that rows are sound. It runs within Spark's
workers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
from pyspark.sql import types as T  # noqa: N812
from pyspark.sql.pandas.types import to_arrow_schema

from jobs.reconciliation.settled import written
from jobs.reconciliation.settled.lanes import Longs, hashed
from lake.bronze import Mode
from lake.clock import to_micros
from transform import binance_answers, columns, rows
from transform.reconciliation.checksums import LANES

#: Ids of one block: a difference sends so many rows of both sides the slow way.
BLOCK = 512
#: The block of an answer that is not written as usual: what is in it is not known here.
STRANGE = -1
#: Where an answer stands: its side, its file, and the hash of its line.
ANSWER = ("side", "bronze_file", "mark")
#: How many rows came with a quote quantity, and the sum of the hashes of these.
QUOTES = ("quotes", "quotes_hash")
_TEXTS = ("side", "bronze_file", "instrument")
_NUMBERS = ("mark", "block", "rows", "inside", "around", "lowest", "highest", *LANES)
_FLAGS = ("is_chain", "is_sound")
#: One row an answer and block: how many rows there are, in the window and around it, their lowest
#: and highest id, whether each id follows the one before, whether all of them keep every rule, the
#: sums of their hashes, how many had a quote quantity and the sum of its hashes.
TALLY = T.StructType(
    [
        *[T.StructField(name, T.StringType(), nullable=False) for name in _TEXTS],
        *[T.StructField(name, T.LongType(), nullable=False) for name in (*_NUMBERS, *QUOTES)],
        *[T.StructField(name, T.BooleanType(), nullable=False) for name in _FLAGS],
    ]
)
TEXT = T.StringType()
INSTRUMENTS = T.StructType([T.StructField("instrument", TEXT)])
#: An answer of a side.
MARKED = T.StructType([T.StructField("bronze_file", TEXT), T.StructField("mark", T.LongType())])
_CLAIM = re.compile(r"~i(-?\d+)_(-?\d+)~")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z")
_ENVELOPE = ("exchange", "kind", "dataset", "mode")
_LONGEST_ID = 10**18

#: `ANSWER` of one answer.
Place = Sequence[Any]
_Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer that can be read: what is known of all its rows."""

    side: str
    bronze_file: str
    mark: int
    instrument: str
    uid: int
    claim: tuple[int, int]
    latest: int


_Found = tuple[_Answer, written.Text]


class _Rows:
    """The rows of answers of one shape as arrays, each with the place of its answer.

    Prices and quantities are integers of `PRICE_DIGITS` and `QUANTITY_DIGITS` decimals.
    """

    def __init__(
        self, answers: Sequence[_Answer], texts: Sequence[written.Text], table: pa.Table
    ) -> None:
        whole = table.combine_chunks()
        self.answers = answers
        self.owner = np.repeat(np.arange(len(texts)), [text.rows for text in texts])
        self.id, self.sent = (whole[name].to_numpy() for name in ("id", "time"))
        self.micros = np.where(self.sent >= columns.FIRST_MICROSECONDS, self.sent, self.sent * 1000)
        self.price, self.quantity = (_unscaled(whole[name]) for name in ("price", "quantity"))
        self.is_maker = whole["is_maker"].to_numpy()
        names = set(whole.column_names)
        self.first = whole["first"].to_numpy() if "first" in names else None
        self.last = whole["last"].to_numpy() if "last" in names else None
        self.quote = _unscaled(whole["quote"]) if "quote" in names else None
        claims = np.array([one.claim for one in answers])[self.owner]
        self.is_claimed: _Flags = (self.id >= claims[:, 0]) & (self.id <= claims[:, 1])

    def of(self, name: str) -> Longs:
        """Return a number of each row's answer."""
        return np.array([getattr(one, name) for one in self.answers])[self.owner]


@dataclass(frozen=True, slots=True)
class Tally:
    """What Spark calls with lines of bronze files; it gives back rows of `TALLY`.

    The lines are `side` STRING, `bronze_file` STRING, `mark` BIGINT and `value` STRING. Rows that
    their file's name does not claim count for nothing: they come from another file.

    Attributes:
        dataset: one of `written.FORMS`.
        kind: the only one that the answers may be of.
        modes: of each side.
        uids: the hash of each wanted instrument's uid; None where its rows can't be read here.
        taker_sides: the hashes of `buy` and of `sell`.
        inside: the window, in microseconds, [start, end).
        around: what is read of it and beyond it, likewise.
        block: how many ids a block has, a power of two.
    """

    dataset: str
    kind: str
    modes: Mapping[str, Mode]
    uids: Mapping[str, int | None]
    taker_sides: tuple[int, int]
    inside: tuple[int, int]
    around: tuple[int, int]
    block: int = BLOCK

    def envelope(self, side: str, line: str) -> Mapping[str, Any] | None:
        """Return the envelope of a line, None where it is not what a file of the side holds."""
        try:
            envelope = orjson.loads(line)
        except orjson.JSONDecodeError:
            return None
        due = (binance_answers.EXCHANGE, self.kind, self.dataset, self.modes[side])
        is_usual = isinstance(envelope, dict) and _is_usual(envelope, due)
        return envelope if is_usual else None

    def is_archived(self, side: str) -> bool:
        """Tell whether a side is the bulk archive."""
        return self.modes[side] == "archive"

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Count what a task was given."""
        reader = written.Reader(self.dataset)
        for batch in batches:
            for table in self._tallies(reader, batch):
                yield from table.to_batches()

    def _tallies(self, reader: written.Reader, batch: pa.RecordBatch) -> Iterator[pa.Table]:
        strange: list[Place] = []
        shapes: dict[tuple[bool, int], list[_Found]] = {}
        lines = zip(*[batch.column(name).to_pylist() for name in (*ANSWER, "value")], strict=True)
        for *place, line in lines:
            envelope = self.envelope(place[0], line)
            # a pack holds other instruments as well
            if envelope is not None and envelope["instrument"] not in self.uids:
                continue
            found = None if envelope is None else self.read(reader, place, envelope)
            if found is None:
                strange.append(place)
            elif found[1].rows:
                shapes.setdefault((found[1].is_json, found[1].cells), []).append(found)
        for group in shapes.values():
            answers, texts = zip(*group, strict=True)
            yield self._counted(_Rows(answers, texts, reader.table(texts)))
        yield _strange(strange)

    def read(
        self, reader: written.Reader, place: Place, envelope: Mapping[str, Any]
    ) -> _Found | None:
        """Return an answer and its text; None where it has to be read by silver's parsers."""
        side, file, mark = place
        instrument = envelope["instrument"]
        uid = self.uids.get(instrument)
        claim = _CLAIM.search(envelope.get("packed_as") or file)
        body = envelope["body"]
        text = reader.archived(body) if self.is_archived(side) else reader.answered(body)
        if uid is None or claim is None or text is None:
            return None
        answered = datetime.fromisoformat(envelope["end_download_timestamp"])
        latest = to_micros(answered) + rows.CLOCK_SKEW_MICROS
        first, last = int(claim[1]), int(claim[2])
        return _Answer(side, file, mark, instrument, uid, (first, last), latest), text

    def _counted(self, row: _Rows) -> pa.Table:
        """Count rows; as in `transform.rows.claimed`, none that is sound and of another file."""
        sound = self._sound(row)
        return self._grouped(row, sound, np.flatnonzero(row.is_claimed | ~sound))

    def _sound(self, row: _Rows) -> _Flags:
        """Return which rows keep every rule of `transform.rows` and `transform.binance_answers`."""
        sound = (row.price > 0) & (row.quantity > 0) & (row.id < _LONGEST_ID)
        sound &= (row.micros >= rows.EARLIEST_MICROS) & (row.micros <= row.of("latest"))
        in_micros = row.sent >= columns.FIRST_MICROSECONDS
        if self.kind != "spot":
            sound &= ~in_micros
        else:
            due = row.micros >= binance_answers.MICROSECONDS_SINCE
            is_archived = np.array([self.is_archived(it.side) for it in row.answers])
            sound &= ~is_archived[row.owner] | (in_micros == due)
        if row.first is not None and row.last is not None:
            sound &= (row.first <= row.last) & (row.last < _LONGEST_ID)
        return np.asarray(sound)

    def _grouped(self, row: _Rows, sound: _Flags, kept: Longs) -> pa.Table:
        """Add up the kept rows by answer and block."""
        owner, ids, micros = row.owner[kept], row.id[kept], row.micros[kept]
        if not len(ids):
            return _table({})
        block = ids & -self.block
        starts = _starts(owner, block)
        lengths = np.diff(np.append(starts, len(ids)))
        steps = np.append(np.diff(ids) == 1, True)
        # the step from a group to the next one is no step within it
        steps[starts[1:] - 1] = True
        answers = [row.answers[place] for place in owner[starts]]
        lanes = self._lanes(row)
        sums = {name: np.add.reduceat(lane[kept], starts) for name, lane in lanes.items()}
        return _table(
            {
                **{name: [getattr(one, name) for one in answers] for name in (*_TEXTS, "mark")},
                "block": block[starts],
                "rows": lengths,
                **{
                    name: np.add.reduceat(((micros >= start) & (micros < end)).astype(int), starts)
                    for name, (start, end) in (("inside", self.inside), ("around", self.around))
                },
                "lowest": np.minimum.reduceat(ids, starts),
                "highest": np.maximum.reduceat(ids, starts),
                "is_chain": np.logical_and.reduceat(steps, starts),
                "is_sound": np.logical_and.reduceat(sound[kept], starts),
                **sums,
                **_quotes(row, kept, starts),
            }
        )

    def _lanes(self, row: _Rows) -> Mapping[str, Longs]:
        """Hash what the certificate's checksum is made of, in the order of `Subject.sent`."""
        price, quantity = 10**written.PRICE_DIGITS, 10**written.QUANTITY_DIGITS
        buy, sell = self.taker_sides
        trades = [] if row.first is None or row.last is None else [row.first, row.last]
        first = hashed(
            [
                *(row.of("uid"), row.id),
                *(row.price // price, row.price % price),
                *(row.quantity // quantity, row.quantity % quantity),
                *trades,
                np.where(row.is_maker, sell, buy),
                row.micros // 1000,
            ]
        )
        return dict(zip(LANES, (first, hashed([first])), strict=True))


def _is_usual(envelope: Mapping[str, Any], due: tuple[str, ...]) -> bool:
    """Tell whether an envelope is whole, and what is due: exchange, kind, dataset and mode."""
    moments = [envelope.get(f"{name}_timestamp") for name in ("end_download", "knowledge")]
    return (
        tuple(envelope.get(name) for name in _ENVELOPE) == due
        and all(isinstance(moment, str) and _MOMENT.fullmatch(moment) for moment in moments)
        and all(isinstance(envelope.get(name), str) for name in ("instrument", "region", "body"))
        and isinstance(envelope.get("sequence"), int)
        and envelope.get("status") in {0, 200}
        and bool(envelope["instrument"])
    )


def _unscaled(decimals: pa.ChunkedArray) -> Longs:
    """Return decimals of at most 18 digits as integers: the lower half of each of 128 bits."""
    chunk = decimals.chunk(0)
    words = np.frombuffer(chunk.buffers()[1], dtype=np.int64)
    return words[2 * chunk.offset : 2 * (chunk.offset + len(chunk)) : 2]


def _starts(owner: Longs, block: Longs) -> Longs:
    """Return where a group of neighbours begins that have answer and block in common."""
    changes = (np.diff(owner) != 0) | (np.diff(block) != 0)
    return np.append(0, np.flatnonzero(changes) + 1)


def _quotes(row: _Rows, kept: Longs, starts: Longs) -> Mapping[str, Longs]:
    if row.quote is None:
        return {}
    lane = hashed([row.id[kept], row.quote[kept]])
    ones = np.ones(len(kept), dtype=np.int64)
    values = (ones, lane)
    return {
        name: np.add.reduceat(value, starts) for name, value in zip(QUOTES, values, strict=True)
    }


def _strange(places: Sequence[Place]) -> pa.Table:
    named = {name: [place[at] for place in places] for at, name in enumerate(ANSWER)}
    return _table({**named, "block": [STRANGE] * len(places), "instrument": [""] * len(places)})


def _table(values: Mapping[str, Any]) -> pa.Table:
    """Return rows of `TALLY`; what is not given is zero."""
    schema = to_arrow_schema(TALLY)
    length = len(values["block"]) if values else 0
    nothing = np.zeros(length, dtype=np.int64)
    arrays = [pa.array(values.get(field.name, nothing)).cast(field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)
