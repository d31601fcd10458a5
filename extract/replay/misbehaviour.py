"""Spoils an answer in the way that a fault orders."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace

from extract.replay.answer import Answer, Query, json_answer
from extract.replay.exact_json import Number, parse, write_bytes
from extract.replay.exchange_clock import DERIBIT
from extract.replay.faults import Fault
from extract.replay.pages import NAME, PRICE, QUANTITY, TIME, Page, Row, cell, like, put

HTML = b"<html><head><title>502 Bad Gateway</title></head><body>try again</body></html>"
MICROS_FLOOR = 10**15
TEN_YEARS_MILLIS = 315_576_000_000
TOO_BIG = "123456789012345678901234567890.5"


def answer_instead(fault: Fault, query: Query) -> Answer | None:
    """Return what comes in place of the venue's answer, None where the venue is asked first."""
    if fault.kind == "rate_limited":
        return refused(query, 429, fault.retry_after)
    if fault.kind == "banned":
        return refused(query, 418, fault.retry_after)
    if fault.kind == "server_error":
        return Answer(HTML, fault.status, "text/html")
    if fault.kind == "html":
        return Answer(HTML, 200, "text/html")
    if fault.kind == "error_object":
        return _error_object(query)
    return None


def refused(query: Query, status: int, retry_after: int) -> Answer:
    """Return the answer to one who asked too much: 429, or 418 for one who went on."""
    document: Mapping[str, object] = {"code": -1003, "msg": _refusal_text(status)}
    if query.segment.startswith(DERIBIT):
        document = _rpc_error(query, 10028, "too_many_requests")
    return json_answer(document, status=status).with_headers({"Retry-After": str(retry_after)})


def _refusal_text(status: int) -> str:
    if status == 418:
        return "Way too much request weight used; IP banned."
    return "Too much request weight used; please use WebSocket Streams for live updates."


def _error_object(query: Query) -> Answer:
    if query.segment.startswith(DERIBIT):
        return json_answer(_rpc_error(query, 11094, "internal_server_error"))
    text = "An unknown error occurred while processing the request."
    return json_answer({"code": -1000, "msg": text})


def _rpc_error(query: Query, code: int, message: str) -> dict[str, object]:
    times = {"usIn": query.now.micros, "usOut": query.now.micros, "usDiff": 0}
    error = {"code": code, "message": message}
    return {"jsonrpc": "2.0", "error": error, **times, "testnet": False}


def spoil(fault: Fault, answer: Answer, previous: Answer | None) -> Answer:
    """Return the venue's answer, spoilt.

    Args:
        fault: what to do.
        answer: the venue's own, sound answer.
        previous: the last sound answer of the same path, for a page that comes twice.
    """
    if fault.kind == "duplicated_page":
        return answer if previous is None else previous
    if fault.kind == "half_body":
        return replace(answer, body=answer.body[: len(answer.body) // 2])
    edit = EDITS.get(fault.kind)
    if edit is None or answer.status != 200:
        return answer
    page = Page(parse(answer.body))
    edit(page.rows, fault)
    return replace(answer, body=write_bytes(page.store()))


def _middle(rows: list[Row], fault: Fault) -> int:
    return len(rows) // 2 if fault.row is None else fault.row


def _empty(rows: list[Row], _: Fault) -> None:
    rows.clear()


def _reverse(rows: list[Row], _: Fault) -> None:
    rows.reverse()


def _unknown_field(rows: list[Row], _: Fault) -> None:
    for row in rows:
        if isinstance(row, list):
            row.append("unheard-of")
        else:
            row["unheardOf"] = {"nested": [Number("1"), "x"]}


def _missing_field(rows: list[Row], fault: Fault) -> None:
    row = rows[_middle(rows, fault)]
    if isinstance(row, list):
        del row[-1]
    else:
        names = PRICE if fault.field is None else (fault.field,)
        for name in names:
            row.pop(name, None)


def _same_id(rows: list[Row], fault: Fault) -> None:
    place = _middle(rows, fault)
    twin = copy.copy(rows[place])
    price = cell(twin, PRICE)
    put(twin, PRICE, like(price, "1" + str(price)))
    rows.insert(place + 1, twin)


def _bad_name(rows: list[Row], fault: Fault) -> None:
    put(rows[_middle(rows, fault)], NAME, fault.name)


def _future_time(rows: list[Row], fault: Fault) -> None:
    row = rows[_middle(rows, fault)]
    time = int(str(cell(row, TIME)))
    ahead = TEN_YEARS_MILLIS * (1000 if time >= MICROS_FLOOR else 1)
    put(row, TIME, Number(time + ahead))


def _change(names: tuple[str, ...], text_of: Callable[[str], str]) -> Callable[..., None]:
    def edit(rows: list[Row], fault: Fault) -> None:
        row = rows[_middle(rows, fault)]
        old = cell(row, names)
        put(row, names, like(old, text_of(str(old))))

    return edit


def _bad_price(rows: list[Row], fault: Fault) -> None:
    put(rows[_middle(rows, fault)], PRICE, "12,5x")


EDITS: Mapping[str, Callable[[list[Row], Fault], None]] = {
    "empty_page": _empty,
    "reversed_page": _reverse,
    "unknown_field": _unknown_field,
    "missing_field": _missing_field,
    "same_id": _same_id,
    "bad_name": _bad_name,
    "future_time": _future_time,
    "bad_price": _bad_price,
    "negative_quantity": _change(QUANTITY, lambda old: f"-{old}"),
    "zero_quantity": _change(QUANTITY, lambda _: "0.00000000"),
    "exponent": _change(PRICE, lambda _: "1.5E-7"),
    "too_big": _change(PRICE, lambda _: TOO_BIG),
}
