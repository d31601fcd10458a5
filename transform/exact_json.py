"""Exact JSON: every number of an answer as the very text that the exchange sent.

Spark reads a JSON number into a string by way of a double, and rounds it into a decimal; both
lose digits in silence. So numbers are made strings before the text is parsed, and they carry a
mark that tells them from what was a string already.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812

MARK = "\u0001"
_ESCAPED_MARK = "\\u0001"
# Each match starts where the last one ended and steps over whole strings, so nothing inside a
# string is ever touched. All loops are possessive: no backtracking, no deep recursion.
_NEXT_NUMBER = r'(?s)\G((?:[^"0-9-]++|"(?:[^"\\]++|\\.)*+")*+)(-?[0-9][-+.0-9eE]*+)'
_MARKED_NUMBER = r'"\\u0001([^"]*+)"'
# NaN and the infinities are no JSON
_STRICT = {"allowNonNumericNumbers": "false"}


def marked(body: Column) -> Column:
    """Return the JSON text with each number as a string that begins with the mark."""
    return F.regexp_replace(body, _NEXT_NUMBER, rf'$1"\{_ESCAPED_MARK}$2"')


def restored(element: Column) -> Column:
    """Return marked JSON text with its numbers as they were sent."""
    return F.regexp_replace(element, _MARKED_NUMBER, "$1")


def unmarked(element: Column) -> Column:
    """Return marked JSON text with its numbers as plain strings."""
    return F.replace(element, F.lit(_ESCAPED_MARK), F.lit(""))


def elements(body: Column) -> Column:
    """Return the elements of a JSON array as ARRAY<STRING> of marked JSON texts, each of any type.

    Null where the body is no whole array. Spark would null a whole array of structs for one
    odd element; as strings, the good ones stay.
    """
    whole = F.trim(body, F.lit(" \t\r\n"))
    parsed = F.from_json(marked(body), "array<string>", _STRICT)
    return F.when(whole.startswith("[") & whole.endswith("]"), parsed)


def fields(element: Column, schema: str) -> Column:
    """Return the struct of a JSON object; `schema` is DDL, its scalars all STRING."""
    return F.from_json(element, schema, _STRICT)


def number(field: Column) -> Column:
    """Return the text of a field that was sent as a JSON number, else null."""
    return F.when(field.startswith(MARK), F.substring(field, 2, 1100))


def text(field: Column) -> Column:
    """Return a field as text, whether it was sent as a string or as a number."""
    return F.ltrim(field, F.lit(MARK))
