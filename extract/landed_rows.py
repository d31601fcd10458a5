"""Rows of landed answers, field by field as sent: bronze read back, file by file."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from extract.archive.parts import MICROSECONDS_FROM
from extract.coverage import HOUR_MS
from extract.landing import held_names
from lake.bronze import BronzeName, Dataset, read_lines
from lake.errors import BronzeError, UsageError
from lake.objects import ObjectStore

log = logging.getLogger(__name__)

FieldType = Literal["integer", "time", "text", "boolean"]
#: Rows of one millisecond may lie on both sides of a file's edge, and times are not quite in order.
SLACK_MS = HOUR_MS


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a row: the exchange's own name of it, and what its text is; a time is in ms."""

    name: str
    type: FieldType = "text"


def _integers(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, "integer") for name in names)


def _booleans(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, "boolean") for name in names)


AGGREGATE = (
    *_integers("a"),
    *(Field("p"), Field("q")),
    *_integers("f", "l"),
    Field("T", "time"),
    *_booleans("m"),
)
#: Bars are sent without names: these are the ones that the archive's own header lines give.
BAR = (
    Field("open_time", "time"),
    *(Field("open"), Field("high"), Field("low"), Field("close"), Field("volume")),
    Field("close_time", "time"),
    Field("quote_volume"),
    *_integers("count"),
    *(Field("taker_buy_volume"), Field("taker_buy_quote_volume"), Field("ignore")),
)


def _trade(quote: str) -> tuple[Field, ...]:
    amounts = (Field("price"), Field("qty"), Field(quote))
    return (*_integers("id"), *amounts, Field("time", "time"), *_booleans("isBuyerMaker"))


@dataclass(frozen=True, slots=True)
class Shape:
    """How the rows of a dataset look: their fields, and which are the order and the time (ms)."""

    fields: tuple[Field, ...]
    id_name: str
    time_name: str


SHAPES: Mapping[tuple[str, str], Shape] = {
    ("agg_trades", "spot"): Shape((*AGGREGATE, *_booleans("M")), "a", "T"),
    ("agg_trades", "usdm"): Shape(AGGREGATE, "a", "T"),
    ("agg_trades", "coinm"): Shape(AGGREGATE, "a", "T"),
    ("trades", "spot"): Shape((*_trade("quoteQty"), *_booleans("isBestMatch")), "id", "time"),
    ("trades", "usdm"): Shape(_trade("quoteQty"), "id", "time"),
    ("trades", "coinm"): Shape(_trade("baseQty"), "id", "time"),
    ("klines", "spot"): Shape(BAR, "open_time", "open_time"),
    ("klines", "usdm"): Shape(BAR, "open_time", "open_time"),
    ("klines", "coinm"): Shape(BAR, "open_time", "open_time"),
}

#: What CCXT reads of any exchange's bar.
OTHER_BARS = Shape(BAR[:6], "open_time", "open_time")

#: A row: each field's text as the exchange wrote it, None where it is null or was not sent.
Texts = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Series:
    """One instrument's dataset; `interval` is of bars, empty elsewhere."""

    dataset: Dataset
    exchange: str
    kind: str
    instrument: str
    interval: str = ""

    @property
    def shape(self) -> Shape:
        """How its rows look.

        Raises:
            UsageError: no rows of this exchange, kind and dataset can be read.
        """
        found = OTHER_BARS if self.dataset == "klines" else None
        if self.exchange == "binance":
            found = SHAPES.get((self.dataset, self.kind))
        if found is None or self.exchange == "deribit":
            raise UsageError(f"rows of {self.exchange} {self.kind} {self.dataset} can't be read")
        return found


def landed_rows(store: ObjectStore, series: Series, from_ms: int, until_ms: int) -> Iterator[Texts]:
    """Yield what has landed with a time in [`from_ms`, `until_ms`), in the order of ids.

    REST and the archive count alike. Each id comes once, as it landed first; only files that
    overlap are in memory together. Times are in ms, as REST gives them. A row's id and time are
    whole numbers; an entry without them stays in bronze, for silver to judge.

    Raises:
        UsageError: no rows of this exchange, kind and dataset can be read.
        BronzeError: a file can't be read.
    """
    shape = series.shape
    pending: dict[int, _Row] = {}
    for name in _files(store, series, from_ms, until_ms):
        yield from _taken(pending, name.coverage.first_id)
        for row_id, row in _rows_of(store, name, shape).items():
            is_inside = from_ms <= int(row.texts[shape.time_name] or 0) < until_ms
            if is_inside and (row_id not in pending or row.landed < pending[row_id].landed):
                pending[row_id] = row
    yield from _taken(pending, None)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row and when it landed, as its envelope says."""

    landed: str
    texts: Texts


def _taken(pending: dict[int, _Row], before_id: int | None) -> Iterator[Texts]:
    """Take out the rows with ids below one, in their order; None takes all."""
    for row_id in sorted(n for n in pending if before_id is None or n < before_id):
        yield pending.pop(row_id).texts


def _files(store: ObjectStore, series: Series, from_ms: int, until_ms: int) -> list[BronzeName]:
    window = (from_ms, until_ms)
    names = held_names(
        store, series.dataset, series.exchange, series.kind, series.instrument, window=window
    )
    touching = (
        name
        for name in names
        if name.mode in ("history", "archive")
        and series.interval in ("", name.tag.partition("-")[0])
        and name.coverage.from_ms < until_ms + SLACK_MS
        and name.coverage.until_ms >= from_ms - SLACK_MS
    )
    return sorted(touching, key=lambda name: (name.coverage, name.mode, name.tag))


def _rows_of(store: ObjectStore, name: BronzeName, shape: Shape) -> dict[int, _Row]:
    """Return the rows that a file covers, by id; its pages may hold others beside them."""
    content = store.read(name.file)
    if content is None:
        raise BronzeError("a bronze file is gone", where=name.file, hint="Run again.")
    held = name.coverage
    found: dict[int, _Row] = {}
    for envelope in read_lines(content):
        if envelope.get("packed_as", name.key) != name.key:
            continue
        for entry in _entries(envelope, name):
            row = _texts(entry, shape)
            row_id = _whole(row[shape.id_name])
            if row_id is None or _whole(row[shape.time_name]) is None:
                log.warning("a row without an id or a time, passed over file=%s", name.key)
            elif held.first_id <= row_id <= held.last_id:
                found.setdefault(row_id, _Row(envelope["knowledge_timestamp"], row))
    return found


def _entries(envelope: Mapping[str, Any], name: BronzeName) -> Sequence[Any]:
    body, key = envelope["body"], name.key
    if name.mode == "archive":
        return _lines(body)
    if name.exchange not in ("binance", "deribit"):
        from extract.venues.ccxt_answers import (  # noqa: PLC0415 - ccxt takes a second to load
            Question,
            read_bars,
        )

        bars = read_bars(Question.of(envelope["request"]), body.decode("utf-8", "replace"))
        return [list(bar) for bar in bars]
    try:
        entries = json.loads(body, parse_float=str, parse_int=str)
    except ValueError as error:
        raise BronzeError("an answer is no JSON", where=key) from error
    if not isinstance(entries, list):
        raise BronzeError("an answer is no list of rows", where=key)
    return entries


def _lines(body: bytes) -> Sequence[list[str]]:
    """Return the cells of an archive file's lines; only a header begins with no digit."""
    lines = body.decode("utf-8", "replace").split("\n")
    cells = [line.rstrip("\r").split(",") for line in lines if line]
    return cells[1:] if cells and not cells[0][0][:1].isdigit() else cells


def _texts(entry: Any, shape: Shape) -> Texts:
    if isinstance(entry, list):
        entry = dict(zip((field.name for field in shape.fields), entry, strict=False))
    sent = entry if isinstance(entry, dict) else {}
    return {field.name: _cell(sent.get(field.name), field.type) for field in shape.fields}


def _cell(value: Any, of_type: FieldType) -> str | None:
    """Return a field's text as REST writes it: the archive differs in its times and flags."""
    text = _text(value)
    if text is None or of_type in ("text", "integer"):
        return text
    if of_type == "boolean":
        return text.lower()
    time = _whole(text)
    return text if time is None or time < MICROSECONDS_FROM else str(time // 1000)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
