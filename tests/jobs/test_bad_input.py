"""Whatever an exchange sends: the good rows beside it stay, the bad ones are kept with a reason."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from jobs import gold, silver
from jobs.context import Context
from lake.errors import GateError
from lake.tables import (
    GOLD_OHLCV,
    OPS_CONFLICTS,
    OPS_CONTINUITY,
    OPS_GATE_RESULTS,
    OPS_QUARANTINE,
    SILVER_AGG_TRADES,
    SILVER_TRADES,
)
from tests.jobs.conftest import OpenLake
from tests.jobs.landed import MIDNIGHT, aggregate, held, know, land

pytestmark = [pytest.mark.spark, pytest.mark.slow]

#: Instrument -> the answer before the good one (aggregate 2), and why its row is refused.
REFUSED = {
    "CUT": ('[{"a":1,"p":"42000.1', "answer_not_understood"),
    "HTML": ("<html><body>502 Bad Gateway</body></html>", "answer_not_understood"),
    "ERROR": ('{"code":-1003,"msg":"Too many requests."}', "answer_is_an_error"),
    "MISSING": (f"[{aggregate(1, p='')}]", "price_missing"),
    "WORD": (f"[{aggregate(1, p=chr(34) + 'dear' + chr(34))}]", "price_not_a_plain_decimal"),
    "NEGATIVE": (f"[{aggregate(1, q=chr(34) + '-0.5' + chr(34))}]", "quantity_not_positive"),
    "ZERO": (f"[{aggregate(1, q=chr(34) + '0.0' + chr(34))}]", "invalidated_by_the_exchange"),
    "EXPONENT": (f"[{aggregate(1, p=chr(34) + '4e4' + chr(34))}]", "price_not_a_plain_decimal"),
    "WIDE": (
        f"[{aggregate(1, p=chr(34) + '12345678901.5' + chr(34))}]",
        "price_exceeds_decimal_20_10",
    ),
    "FINE": (
        f"[{aggregate(1, p=chr(34) + '1.12345678901' + chr(34))}]",
        "price_exceeds_decimal_20_10",
    ),
    "FUTURE": (f"[{aggregate(1, T='4102444800000')}]", "trade_time_in_the_future"),
}
#: Instrument -> the answers, and the aggregates that must come out of them.
KEPT: dict[str, tuple[list[str], list[int]]] = {
    "UNKNOWN": ([f"[{aggregate(1, nq=chr(34) + '0.5' + chr(34))},{aggregate(2)}]"], [1, 2]),
    "EMPTY": (["[]", f"[{aggregate(1)},{aggregate(2)}]", "[]"], [1, 2]),
    "BACKWARDS": ([f"[{aggregate(4)},{aggregate(3)}]", f"[{aggregate(2)},{aggregate(1)}]"], [1, 4]),
    "AGAIN": ([f"[{aggregate(1)},{aggregate(2)}]", f"[{aggregate(1)},{aggregate(2)}]"], [1, 2]),
    "A/B": ([f"[{aggregate(1)},{aggregate(2)}]"], [1, 2]),
    "../../UP": ([f"[{aggregate(1)},{aggregate(2)}]"], [1, 2]),
}
TWICE = [f"[{aggregate(1)},{aggregate(2)}]", f"[{aggregate(2, p=chr(34) + '42000.2' + chr(34))}]"]


@pytest.fixture(scope="module")
def fed(open_lake: OpenLake) -> Context:
    """A lake that was fed everything odd at once, and its candles."""
    context = open_lake("bronze.quarantine_rows=1000")
    for instrument, (odd, _) in REFUSED.items():
        land(context, instrument, [odd, f"[{aggregate(2)}]"], ids=(1, 2))
    for instrument, (answers, ids) in KEPT.items():
        land(context, instrument, answers, ids=(ids[0], ids[-1]))
    land(context, "TWICE", TWICE, ids=(1, 2))
    silver.consume(context, "agg_trades")
    gold.follow(context)
    return context


def ids(context: Context, instrument: str) -> list[int]:
    rows = held(context, SILVER_AGG_TRADES, f"instrument = '{instrument}'")
    return sorted(row["agg_id"] for row in rows)


@pytest.mark.parametrize("instrument", sorted(REFUSED))
def test_an_odd_answer_is_quarantined_whole_beside_the_good_row(
    fed: Context, instrument: str
) -> None:
    odd, reason = REFUSED[instrument]

    (refused,) = held(fed, OPS_QUARANTINE, f"instrument = '{instrument}'")

    assert refused["reasons"] == [reason]
    assert refused["payload"] == (odd[1:-1] if odd.startswith("[{") and odd.endswith("]") else odd)
    assert refused["state"] == "open"
    assert ids(fed, instrument) == [2]


@pytest.mark.parametrize("instrument", sorted(KEPT))
def test_an_odd_page_loses_and_doubles_nothing(fed: Context, instrument: str) -> None:
    first, last = KEPT[instrument][1]

    assert ids(fed, instrument) == list(range(first, last + 1))
    assert held(fed, OPS_QUARANTINE, f"instrument = '{instrument}'") == []


def test_a_name_can_never_leave_its_folder(fed: Context) -> None:
    root = Path(fed.settings.lake.root)
    instruments = {row["instrument"] for row in held(fed, SILVER_AGG_TRADES)}

    assert {"A/B", "../../UP"} <= instruments
    assert {path.name for path in root.iterdir()} <= {
        *("bronze", "silver", "gold", "ops", "checkpoints", "candlelake.json", "_incoming"),
    }
    assert not (root.parent / "UP").exists()


def test_one_id_with_two_contents_keeps_the_first_and_opens_a_conflict(fed: Context) -> None:
    prices = {
        row["agg_id"]: row["price"] for row in held(fed, SILVER_AGG_TRADES, "instrument = 'TWICE'")
    }
    (conflict,) = held(fed, OPS_CONFLICTS, "instrument = 'TWICE'")

    assert prices == {1: Decimal("42000.1"), 2: Decimal("42000.1")}
    assert conflict["state"] == "open"
    assert "price" in conflict["differing"]


def test_a_bar_with_a_hole_or_a_conflict_is_not_complete(fed: Context) -> None:
    complete = {
        row["instrument"]: row["is_complete"]
        for row in held(fed, GOLD_OHLCV, "bar_interval = '1m'")
    }

    assert complete == {
        **{instrument: instrument == "ZERO" for instrument in REFUSED},
        **dict.fromkeys(KEPT, True),
        "TWICE": False,
    }


def test_what_was_refused_is_a_hole_with_its_cause(fed: Context) -> None:
    holes = held(fed, OPS_CONTINUITY, "entry = 'hole' AND instrument = 'WORD'")

    assert [(hole["first_id"], hole["last_id"], hole["cause"]) for hole in holes] == [
        (1, 1, "quarantined")
    ]


def test_a_batch_with_too_many_refused_rows_stops_and_leaves_nothing(open_lake: OpenLake) -> None:
    context = open_lake("bronze.quarantine_rows=1", "bronze.quarantine_share=0.1")
    bad = ",".join(aggregate(number, p='"dear"') for number in range(1, 4))
    land(context, "BTCUSDT", [f"[{bad},{aggregate(4)}]"], ids=(1, 4))

    with pytest.raises(GateError, match=r"rejected_rows_within_limit failed with 3 of 4") as stop:
        silver.consume(context, "agg_trades")

    assert stop.value.exit_code == 3
    assert "price_not_a_plain_decimal 3" in str(stop.value)
    for table in (SILVER_AGG_TRADES, OPS_QUARANTINE, OPS_CONTINUITY):
        assert held(context, table) == []
    failed = held(context, OPS_GATE_RESULTS, "NOT success")
    assert {row["expectation"] for row in failed} == {"rejected_rows_within_limit"}


COMBO: dict[str, Any] = {
    "exchange": "deribit",
    "kind": "future_combo",
    "instrument": "BTC-FS-26JAN24_PERP",
    "instrument_uid": "7",
    "direction": "inverse",
    "base_unit": "BTC",
    "quote_unit": "USD",
    "quantity_unit": "USD",
    "contract_size": Decimal(10),
}


def test_a_combo_may_cost_nothing_or_less_and_numbers_keep_every_digit(
    open_lake: OpenLake,
) -> None:
    context = open_lake()
    know(context, COMBO)
    trades = ",".join(
        f'{{"trade_seq":{place},"trade_id":"{place}","timestamp":{MIDNIGHT + place},'
        f'"price":{price},"amount":10.0,"direction":"buy","instrument_name":"{COMBO["instrument"]}",'
        '"mark_price":1.5,"index_price":42000.1}'
        for place, price in enumerate(("0.0", "-12.5", "1.25e-8"), start=1)
    )
    body = '{"jsonrpc":"2.0","result":{"trades":[' + trades + '],"has_more":false}}'
    land(
        context,
        COMBO["instrument"],
        [body],
        ids=(1, 3),
        dataset="trades",
        exchange="deribit",
        kind="future_combo",
    )

    silver.consume(context, "trades")

    prices = {row["trade_seq"]: row["price"] for row in held(context, SILVER_TRADES)}
    assert prices == {1: Decimal(0), 2: Decimal("-12.5"), 3: Decimal("0.0000000125")}
    assert held(context, OPS_QUARANTINE) == []
