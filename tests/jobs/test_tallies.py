"""Answers counted without Spark: which are read, which rows count, and what they hash to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from jobs.reconciliation.settled.lanes import hashed
from jobs.reconciliation.settled.tallies import STRANGE, Tally
from jobs.reconciliation.settled.trimmed import Trim
from transform.reconciliation.checksums import LANES

DAY_MS = 1_704_067_200_000
DAY = DAY_MS * 1000
UID, BUY, SELL = 11, 22, 33
NAME = "bronze/agg_trades/binance/spot/2024-01/BTCUSDT~history~i0_99~t1_2.ndjson.gz"


def tally(kind: str = "spot", dataset: str = "agg_trades", block: int = 512) -> Tally:
    return Tally(
        dataset=dataset,
        kind=kind,
        modes={"left": "history", "right": "archive"},
        uids={"BTCUSDT": UID, "ODDUSDT": None},
        taker_sides=(BUY, SELL),
        inside=(DAY, DAY + 1_000_000),
        around=(DAY - 1_000_000, DAY + 2_000_000),
        block=block,
    )


def line(body: str, side: str, **changes: Any) -> str:
    envelope = {
        "exchange": "binance",
        "kind": "spot",
        "dataset": "agg_trades",
        "mode": "history" if side == "left" else "archive",
        "instrument": "BTCUSDT",
        "region": "",
        "status": 200,
        "sequence": 1,
        "body": body,
        **dict.fromkeys(
            ("end_download_timestamp", "knowledge_timestamp"), "2026-01-01T00:00:00.000001Z"
        ),
    }
    return json.dumps({**envelope, **changes})


def counted(
    body: str, side: str = "left", of: Tally | None = None, **changes: Any
) -> list[dict[str, Any]]:
    """Return what comes of one line."""
    batch = pa.RecordBatch.from_pydict(
        {
            "side": [side],
            "bronze_file": [NAME],
            "mark": [7],
            "value": [changes.pop("value", line(body, side, **changes))],
        }
    )
    return [row for found in (of or tally())([batch]) for row in found.to_pylist()]


def rest(identifier: int, **changes: str) -> str:
    cells = {"p": "42000.5", "q": "0.25000000", "T": str(DAY_MS + identifier), "m": "true"}
    cell: Mapping[str, str] = {**cells, **changes}
    return (
        f'{{"a":{identifier},"p":"{cell["p"]}","q":"{cell["q"]}","f":{identifier},'
        f'"l":{identifier},"T":{cell["T"]},"m":{cell["m"]},"M":true}}'
    )


def archived(identifier: int) -> str:
    time = DAY_MS + identifier
    return f"{identifier},42000.50000000,0.25,{identifier},{identifier},{time},True,True"


def is_strange(rows: list[dict[str, Any]]) -> bool:
    return [row["block"] for row in rows] == [STRANGE]


def test_both_forms_come_to_one_hash_and_it_is_that_of_the_values() -> None:
    (of_rest,) = counted(f"[{rest(1)},{rest(2)}]")
    (of_archive,) = counted(f"agg_trade_id,price\r\n{archived(1)}\r\n{archived(2)}\r\n", "right")
    rows = [
        (UID, at, 42000, 5_000_000_000, 0, 25_000_000, at, at, SELL, DAY_MS + at) for at in (1, 2)
    ]
    first = hashed([np.array(column) for column in zip(*rows, strict=True)])
    for name, lane in zip(LANES, (first, hashed([first])), strict=True):
        assert of_rest[name] == of_archive[name] == int(lane.sum())
    assert (of_rest["rows"], of_rest["inside"]) == (2, 2)
    assert (of_rest["lowest"], of_rest["highest"]) == (1, 2)
    assert of_rest["is_chain"]
    assert of_rest["is_sound"]


@pytest.mark.parametrize(
    "body",
    [
        f"[{rest(1)}, {rest(2)}]",
        f"[{rest(1, p='42000.12345678901')}]",
        f"[{rest(1, p='-1')}]",
        f"[{rest(1, m='null')}]",
        f"[{rest(1)}",
        '{"code":-1121,"msg":"Invalid symbol."}',
        "",
    ],
)
def test_what_is_not_written_as_usual_is_left_to_silvers_parsers(body: str) -> None:
    assert is_strange(counted(body))


@pytest.mark.parametrize(
    "changes",
    [
        {"value": "{"},
        {"value": "[]"},
        {"instrument": "ODDUSDT"},
        {"status": 503},
        {"kind": "usdm"},
        {"value": '{"exchange":"binance"}'},
        {"sequence": None},
        {"end_download_timestamp": "2026-01-01T00:00:00"},
    ],
)
def test_so_is_what_is_no_usual_envelope(changes: dict[str, Any]) -> None:
    assert is_strange(counted(f"[{rest(1)}]", **changes))


def test_an_empty_answer_and_one_of_another_instrument_are_nothing() -> None:
    assert counted("[]") == []
    assert counted(f"[{rest(1)}]", instrument="ETHUSDT") == []


@pytest.mark.parametrize(
    "changes",
    [
        {"p": "0"},
        {"q": "0.00000000"},
        {"T": "1200000000000"},
        {"T": str(DAY_MS + 10**11)},
    ],
)
def test_a_row_that_breaks_a_rule_is_not_sound(changes: dict[str, str]) -> None:
    (row,) = counted(f"[{rest(1)},{rest(2, **changes)}]")
    assert not row["is_sound"]


def test_rows_count_by_block_by_window_and_by_the_claim_of_their_file() -> None:
    rows = counted(f"[{rest(99, T=str(DAY_MS + 1_500))},{rest(100)},{rest(1)}]")
    assert [(row["lowest"], row["rows"], row["inside"], row["around"]) for row in rows] == [
        (1, 2, 1, 2)
    ]
    assert not rows[0]["is_chain"]
    claimed = counted(f"[{rest(511)},{rest(512)}]", packed_as=NAME.replace("i0_99", "i0_2000"))
    assert [(row["block"], row["rows"]) for row in claimed] == [(0, 1), (512, 1)]


def test_microseconds_are_what_an_archive_of_spot_has_since_2025_and_nobody_else() -> None:
    early = archived(0).replace(str(DAY_MS), str(DAY))
    assert not counted(early, "right")[0]["is_sound"]
    assert not counted(f"[{rest(1, T=str(DAY))}]", of=tally("usdm"), kind="usdm")[0]["is_sound"]
    assert counted(f"[{rest(1, T=str(DAY))}]")[0]["is_sound"]


def test_quotes_of_trades_are_counted_and_told_apart() -> None:
    body = (
        f'[{{"id":1,"price":"2","qty":"3.0","quoteQty":"6.00000000","time":{DAY_MS},'
        '"isBuyerMaker":false,"isBestMatch":true}]'
    )
    (row,) = counted(body, of=tally(dataset="trades"), dataset="trades")
    (other,) = counted(body.replace("6.0", "6.1"), of=tally(dataset="trades"), dataset="trades")
    assert row["quotes"] == 1
    assert (row["first"], row["quotes_hash"]) != (other["first"], other["quotes_hash"])
    assert row["first"] == other["first"]


def test_an_answer_is_shortened_to_the_rows_of_its_unsettled_blocks() -> None:
    trim = Trim(tally(block=8), "right", {"BTCUSDT": frozenset({8})})
    body = "\r\n".join(["agg_trade_id,price", *map(archived, range(6, 18))])
    odd = line(f"{archived(1)},", "right")
    lines = [line(body, "right"), odd, "{"]
    batch = pa.RecordBatch.from_pydict({"bronze_file": [NAME] * 3, "value": lines})
    (shorter,) = trim([batch])
    first, *others = shorter.column("value").to_pylist()
    assert json.loads(first) == {
        **json.loads(lines[0]),
        "body": "\n".join(map(archived, range(8, 16))),
    }
    assert others == [odd, "{"]
    left = Trim(tally(block=8), "left", {"BTCUSDT": frozenset({0})})
    page = line(f"[{rest(7)},{rest(8)}]", "left")
    (shorter,) = left([pa.RecordBatch.from_pydict({"bronze_file": [NAME], "value": [page]})])
    assert json.loads(shorter.column("value")[0].as_py())["body"] == f"[{rest(7)}]"
