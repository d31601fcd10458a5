"""Finds the rows in an answer's document, so that a fault can spoil one of them."""

from __future__ import annotations

from typing import cast

from extract.replay.exact_json import Number

PRICE = ("p", "price", "open")
QUANTITY = ("q", "qty", "amount", "volume")
TIME = ("T", "time", "timestamp", "ticks")
NAME = ("symbol", "instrument_name")
KLINE_FIELDS = {PRICE: 1, QUANTITY: 5, TIME: 0}

Document = object
Cells = dict[str, object]
Row = Cells | list[object]


class Page:
    """A parsed answer and its rows; changes to `rows` are written back by `store`."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._chart = _chart_of(document)
        self.rows: list[Row] = _rows_of(document) if self._chart is None else _turn(self._chart)

    def store(self) -> Document:
        """Return the document with its changed rows."""
        if self._chart is not None:
            self._chart["status"] = "ok" if self.rows else "no_data"
            for name in [name for name in self._chart if name != "status"]:
                cells = [cast("Cells", row) for row in self.rows]
                self._chart[name] = [row[name] for row in cells if name in row]
        return self.document


def _chart_of(document: Document) -> Cells | None:
    result = document.get("result") if isinstance(document, dict) else None
    return result if isinstance(result, dict) and "ticks" in result else None


def _turn(chart: Cells) -> list[Row]:
    columns = {name: cast("list[object]", v) for name, v in chart.items() if name != "status"}
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def _rows_of(document: Document) -> list[Row]:
    if isinstance(document, list):
        return document
    if isinstance(document, dict):
        for name in ("symbols", "trades", "result"):
            if name in document:
                return _rows_of(document[name])
    return []


def cell(row: Row, names: tuple[str, ...]) -> object:
    """Return a row's value of the first field that it has of these names; None without one."""
    key = _key(row, names)
    if key is None:
        return None
    return row[key] if isinstance(row, list) else row[cast("str", key)]  # type: ignore[index]


def put(row: Row, names: tuple[str, ...], value: object) -> None:
    """Set a row's value; a row that has no such field stays as it is."""
    key = _key(row, names)
    if key is not None:
        row[key] = value  # type: ignore[index]


def like(sample: object, text: str) -> str:
    """Return a text as a JSON number where the sample is one, else as a JSON string."""
    return Number(text) if isinstance(sample, Number) else text


def _key(row: Row, names: tuple[str, ...]) -> int | str | None:
    if isinstance(row, list):
        return KLINE_FIELDS.get(names)
    return next((name for name in names if name in row), None)
