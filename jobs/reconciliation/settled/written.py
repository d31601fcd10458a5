"""Binance's prints as REST and the archive usually write them, read many at a time without Spark.

Silver's parsers read anything; this reads only what is written as usual, to the letter, and says
of any other text that it has not read it. Prices and quantities are decimals all the way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import pyarrow as pa
from pyarrow import csv

from lake import schemas

#: How deep decimals are: a text with more digits behind the point is not read here.
PRICE_DIGITS, QUANTITY_DIGITS = schemas.PRICE.scale, 8
#: Whole digits that let a number of this many decimals stay within 64 bits.
_PRICE = rf"[0-9]{{1,8}}+(?:\.[0-9]{{1,{PRICE_DIGITS}}}+)?+"
_QUANTITY = rf"[0-9]{{1,10}}+(?:\.[0-9]{{1,{QUANTITY_DIGITS}}}+)?+"
# digits as these, for others are digits too; possessive, which takes half the time
_ID, _TIME, _JSON_ID = "[0-9]{1,18}+", "[1-9][0-9]{12,15}+", "(?:0|[1-9][0-9]{0,17}+)"
_FLAG, _JSON_FLAG = "(?:[Tt]rue|[Ff]alse)", "(?:true|false)"
#: The archive's header rows name their columns in small letters, such as `agg_trade_id`.
_HEADER = re.compile(r"[a-z_]+,[^\n]*\n?")
#: An id begins within the first characters of a row, behind its name.
_FIRST, _FIRST_ENDS = re.compile("[0-9]+"), 32
_DECIMALS = MappingProxyType(
    {
        "price": pa.decimal128(18, PRICE_DIGITS),
        "quantity": pa.decimal128(18, QUANTITY_DIGITS),
        "quote": pa.decimal128(18, QUANTITY_DIGITS),
        "is_maker": pa.bool_(),
    }
)
#: Cells that nobody asks for: before the comma of an object, and `isBestMatch`.
_BEFORE, _BEHIND = "before", "behind"


@dataclass(frozen=True, slots=True)
class Form:
    """How a dataset's rows are written, and what is in which cell.

    Attributes:
        names: of the columns, in the order of both sources.
        line: the pattern of a line of the archive.
        object: the pattern of an object of REST.
        letter: it stands in one of the words true and false, and in no field's name.
        is_true: whether that word is true.
    """

    names: tuple[str, ...]
    line: str
    object: str
    letter: str
    is_true: bool


FORMS: Mapping[str, Form] = MappingProxyType(
    {
        "agg_trades": Form(
            names=("id", "price", "quantity", "first", "last", "time", "is_maker"),
            line=rf"{_ID},{_PRICE},{_QUANTITY},{_ID},{_ID},{_TIME},{_FLAG}(?:,{_FLAG})?",
            object=rf'\{{"a":{_JSON_ID},"p":"{_PRICE}","q":"{_QUANTITY}","f":{_JSON_ID},'
            rf'"l":{_JSON_ID},"T":{_TIME},"m":{_JSON_FLAG}(?:,"M":{_JSON_FLAG})?\}}',
            letter="r",
            is_true=True,
        ),
        "trades": Form(
            names=("id", "price", "quantity", "quote", "time", "is_maker"),
            line=rf"{_ID},{_PRICE},{_QUANTITY},{_QUANTITY},{_TIME},{_FLAG}(?:,{_FLAG})?",
            object=rf'\{{"id":{_JSON_ID},"price":"{_PRICE}","qty":"{_QUANTITY}",'
            rf'"(?:quoteQty|baseQty)":"{_QUANTITY}","time":{_TIME},'
            rf'"isBuyerMaker":{_JSON_FLAG}(?:,"isBestMatch":{_JSON_FLAG})?\}}',
            letter="l",
            is_true=False,
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Text:
    """Lines of cells that were found to be written as usual.

    Attributes:
        lines: parted by line feeds.
        rows: how many.
        cells: of each line.
        is_json: whether there is an empty cell before the others, and true and false have become
            a letter or nothing.
    """

    lines: bytes
    rows: int
    cells: int
    is_json: bool


class Reader:
    """Reads one dataset's rows."""

    def __init__(self, dataset: str) -> None:
        form = FORMS[dataset]
        self._form = form
        self._lines = re.compile(rf"(?:{form.line}\n)++")
        self._object = re.compile(form.object)
        self._objects = re.compile(rf"(?:{form.object},)++")
        kept = form.letter.encode()
        letters = bytes(range(ord("A"), ord("Z") + 1)) + bytes(range(ord("a"), ord("z") + 1))
        self._deleted = letters.replace(kept, b"") + b'":{'
        self._ends = bytes.maketrans(b"}", b"\n")

    def archived(self, body: str) -> Text | None:
        """Return a part of an archive file as cells, None where it is not written as usual."""
        ended = body.rstrip("\r\n").replace("\r\n", "\n") + "\n"
        header = _HEADER.match(ended)
        lines = ended[header.end() :] if header else ended
        if not self._lines.fullmatch(lines):
            return Text(b"", 0, 0, is_json=False) if header and not lines else None
        return self._text(lines[:-1].encode(), is_json=False)

    def answered(self, body: str) -> Text | None:
        """Return an answer of REST as cells, None where it is not written as usual."""
        if body == "[]":
            return Text(b"", 0, 0, is_json=True)
        inner = f"{body[1:-1]},"
        if body[:1] != "[" or body[-1:] != "]" or not self._objects.fullmatch(inner):
            return None
        cells = inner.encode().translate(self._ends, self._deleted)
        return self._text(b"," + cells[:-2], is_json=True)

    def without(self, body: str, *, is_json: bool, dropped: Callable[[int], bool]) -> str:
        """Return a text that is written as usual without the rows of some ids."""
        if is_json:
            objects = (found[0] for found in self._object.finditer(body))
            return f"[{','.join(text for text in objects if not dropped(_id(text)))}]"
        lines = body.rstrip("\r\n").replace("\r\n", "\n").split("\n")
        kept = lines[1:] if _HEADER.match(body) else lines
        return "\n".join(text for text in kept if not dropped(_id(text)))

    def table(self, texts: Sequence[Text]) -> pa.Table:
        """Read texts of one shape: `names` of the form, ids and times as 64-bit integers.

        The time is as sent, in ms or µs. No number is longer than its type: the patterns see to it.
        """
        form, first = self._form, texts[0]
        before = [_BEFORE] if first.is_json else []
        behind = [_BEHIND] * (first.cells - len(form.names) - len(before))
        words = ["true", "True"], ["false", "False"]
        if first.is_json:
            words = ([form.letter], [""]) if form.is_true else ([""], [form.letter])
        return csv.read_csv(
            pa.BufferReader(b"\n".join(text.lines for text in texts)),
            csv.ReadOptions(
                column_names=[*before, *form.names, *behind],
                use_threads=False,
                block_size=sum(len(text.lines) + 1 for text in texts) + 1,
            ),
            csv.ParseOptions(quote_char=False),
            csv.ConvertOptions(
                column_types={name: _DECIMALS.get(name, pa.int64()) for name in form.names},
                include_columns=form.names,
                null_values=[],
                true_values=words[0],
                false_values=words[1],
            ),
        )

    @staticmethod
    def _text(lines: bytes, *, is_json: bool) -> Text:
        end = lines.find(b"\n")
        cells = lines.count(b",", 0, len(lines) if end < 0 else end) + 1
        return Text(lines, lines.count(b"\n") + 1, cells, is_json)


def _id(row: str) -> int:
    """Return the first number of a row as sent, which is its id."""
    return int(_FIRST.findall(row, 0, _FIRST_ENDS)[0])
