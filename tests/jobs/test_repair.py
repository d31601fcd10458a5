"""Holes of every cause in one lake: the ledger names them, repair fills them by asking."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from extract.coverage import Missing
from jobs import pipeline
from jobs.context import Context, exchanges_of
from jobs.coverage import repair
from jobs.coverage.holdings import Holding, holdings
from jobs.coverage.recount import Verdict
from jobs.extraction.run import prepare
from jobs.options import segments_of, select
from lake.bronze import Envelope, known_names, parse_name, read_lines, to_file
from lake.errors import CandlelakeError
from lake.tables import GOLD_OHLCV, OPS_CONTINUITY, SILVER_AGG_TRADES
from tests.jobs.conftest import OpenLake
from tests.jobs.landed import aggregate, envelope, held, know, land

pytestmark = [pytest.mark.spark, pytest.mark.slow]

FIRST, LAST = 1_692_296_325, 1_692_306_325
#: The chunks of the history; the second is never read, the third has lost three rows.
GONE = Missing(1_692_300_000, 1_692_303_999)
LOST = Missing(1_692_305_000, 1_692_305_002)
#: Below the first trade: claimed by an answer that begins with the first one.
OWN = Missing(FIRST - 3, FIRST - 1)
ETHUSDT = ("binance", "spot", "ETHUSDT", "ETHUSDT", "agg_trades")
DELISTED = ("binance", "spot", "DELISTED", "DELISTED", "agg_trades")
Damaged = tuple[Context, repair.Holes, list[Holding]]
Repaired = tuple[Context, list[str], repair.Asked, list[Verdict]]
ORDERED = {"exchange": "binance", "kind": "spot", "instruments": "ETHUSDT"}


def load(context: Context) -> None:
    """Load the history as the command does."""
    selection = select(context.settings, **ORDERED, datasets="agg_trades")
    with exchanges_of(context.settings) as settings:
        prepare(context, settings, selection, mode="start").run()


def damage(context: Context) -> None:
    """Take away a file and the proof of the head, lose rows of a page, claim ids too low."""
    names = known_names(list(context.store.names("bronze/agg_trades/")))
    files = {name.coverage.first_id: name for name in names}
    for first in (0, GONE.first_id):
        context.store.delete(files[first].key)
    lossy = files[1_692_304_000].key
    _rewrite(context, lossy, lambda row: not LOST.first_id <= row["a"] <= LOST.last_id)
    opening = files[FIRST]
    (page, *_) = _envelopes(context, opening.key)
    wider = replace(opening.coverage, first_id=OWN.first_id, last_id=FIRST)
    context.store.create(replace(opening, coverage=wider).key, to_file([page]))


def _envelopes(context: Context, key: str) -> list[Envelope]:
    name, content = parse_name(key), context.store.read(key)
    of: dict[str, Any] = {
        "exchange": name.exchange,
        "kind": name.kind,
        "dataset": name.dataset,
        "instrument": name.instrument,
        "mode": name.mode,
    }
    lines = read_lines(content or b"")
    now = context.clock.now()
    return [
        replace(
            envelope(**of, sequence=place, body=line["body"].decode()),
            end_download_timestamp=now,
            knowledge_timestamp=now,
        )
        for place, line in enumerate(lines, 1)
    ]


def _rewrite(context: Context, key: str, keep: Callable[[dict[str, Any]], bool]) -> None:
    pages = _envelopes(context, key)
    kept = [json.dumps([row for row in json.loads(page.body) if keep(row)]) for page in pages]
    context.store.delete(key)
    content = to_file(
        replace(page, body=body.encode()) for page, body in zip(pages, kept, strict=True)
    )
    assert context.store.create(key, content)


def other_causes(context: Context) -> None:
    land(context, "DELISTED", [f"[{aggregate(1)},{aggregate(4)}]"], ids=(1, 4))
    refused, withdrawn = aggregate(2, p='"dear"'), aggregate(3, q='"0.0"')
    land(context, "REFUSED", [f"[{aggregate(1)},{refused},{withdrawn},{aggregate(4)}]"], ids=(1, 4))
    know(
        context, {"kind": "usdm", "base_unit": "BTC", "quote_unit": "USDT", "quantity_unit": "BTC"}
    )
    jump = aggregate(2, f="4", l="4")
    land(context, "BTCUSDT", [f"[{aggregate(1)},{jump}]"], ids=(1, 2), kind="usdm")


@pytest.fixture(scope="module")
def damaged(open_lake: OpenLake) -> Damaged:
    """A history with holes of every cause: the lake, its open holes, and what the ledger says."""
    context = open_lake("window.start=", "window.end=", "extract.chunk_limit=4000")
    load(context)
    damage(context)
    other_causes(context)
    holes = repair.open_holes(context, segments_of(None, None, None))
    return context, holes, holdings(context, segments_of(None, None, None))


def causes(found: list[Holding], instrument: str) -> list[tuple[int, int, str, str]]:
    (one,) = [each for each in found if each.of[2] == instrument]
    return [
        (hole.first_id, hole.last_id, hole.cause, hole.state)
        for hole in one.named("hole")
        if hole.ids or hole.cause == "off_book"
    ]


def test_the_ledger_names_a_hole_of_each_cause(
    damaged: Damaged,
) -> None:
    _, holes, found = damaged

    assert causes(found, "ETHUSDT") == [
        (OWN.first_id, OWN.last_id, "left_out", "open"),
        (GONE.first_id, GONE.last_id, "not_loaded", "open"),
        (LOST.first_id, LOST.last_id, "left_out", "open"),
    ]
    assert causes(found, "DELISTED") == [(2, 3, "left_out", "open")]
    assert causes(found, "REFUSED") == [
        (2, 2, "quarantined", "open"),
        (3, 3, "invalidated_by_the_exchange", "proved"),
    ]
    assert causes(found, "BTCUSDT") == [(2, 1, "off_book", "proved")]
    assert holes[ETHUSDT] == [OWN, GONE, LOST]
    assert {of[2] for of in holes} == {"ETHUSDT", "DELISTED", "REFUSED"}


@pytest.fixture(scope="module")
def repaired(
    damaged: Damaged,
) -> Repaired:
    context, holes, _ = damaged
    wanted = {of: holes[of] for of in (ETHUSDT, DELISTED)}
    with exchanges_of(context.settings) as settings:
        asked = repair.ask(context, settings, wanted)
    verdicts = repair.settled(context, wanted, asked)
    return context, [str(verdict) for verdict in verdicts], asked, verdicts


def test_repair_fills_proves_or_says_why_not(
    repaired: Repaired,
) -> None:
    _, told, asked, verdicts = repaired
    name, proved = "binance spot ETHUSDT agg_trades", "proved the exchange's own"

    assert told[:3] == [
        f"{name} {OWN.first_id}..{OWN.last_id}: {proved}; 0 of 3 ids counted in silver",
        f"{name} {GONE.first_id}..{GONE.last_id}: filled; 4,000 of 4,000 ids counted in silver",
        f"{name} {LOST.first_id}..{LOST.last_id}: filled; 3 of 3 ids counted in silver",
    ]
    assert told[3].startswith("binance spot DELISTED agg_trades 2..3: open, ")
    assert "Invalid symbol" in told[3] or "DELISTED" in told[3]
    repair.require_closed(verdicts[:3], asked)
    with pytest.raises(CandlelakeError):
        repair.require_closed(verdicts, asked)


def test_what_was_repaired_is_whole_and_a_second_repair_asks_for_nothing(
    repaired: Repaired,
) -> None:
    context = repaired[0]
    files = list(context.store.names("bronze/"))

    assert repair.open_holes(context, segments_of("binance", "spot", "ETHUSDT")) == {}
    assert list(context.store.names("bronze/")) == files
    rows = held(context, SILVER_AGG_TRADES, "instrument = 'ETHUSDT'")
    assert sorted(row["agg_id"] for row in rows) == list(range(FIRST, LAST + 1))
    bars = held(context, GOLD_OHLCV, "instrument = 'ETHUSDT' AND bar_interval = '1m'")
    in_order = sorted(bars, key=lambda bar: bar["bar_start"])
    assert [bar["is_complete"] for bar in in_order] == [True] * 6 + [False]


def test_a_history_is_one_run_above_a_head_proved_the_exchanges_own(
    repaired: Repaired,
) -> None:
    """The head spans more than a billion ids: nothing may ever name them one by one."""
    context = repaired[0]

    load(context)
    pipeline.refine(context)

    entries = held(context, OPS_CONTINUITY, "instrument = 'ETHUSDT'")
    told = sorted((row["entry"], row["first_id"], row["last_id"], row["cause"]) for row in entries)
    assert told == [("held", 0, LAST, None), ("hole", 0, FIRST - 1, "exchange_hole")]
    assert {row["state"] for row in entries} == {"proved"}
