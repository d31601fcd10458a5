"""What was known at a moment: of bars and trades, in every time zone, and with DuckDB alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import duckdb_extension_delta  # type: ignore[import-untyped]
import pytest

from jobs import catalog, conflicts, gold, rebuild, silver
from jobs.context import Context
from jobs.options import select
from lake.clock import to_iso
from lake.storage import Tables
from lake.tables import (
    GOLD_OHLCV,
    GOLD_OHLCV_REVISIONS,
    OPS_REPLACED_AGG_TRADES,
    SILVER_AGG_TRADES,
)
from tests.docs.documents import ROOT
from tests.jobs.conftest import OpenLake
from tests.jobs.landed import MIDNIGHT, aggregate, held, land

pytestmark = [pytest.mark.spark, pytest.mark.slow]

HOUR = 3_600_000
#: 2024-01-01T05:00Z is midnight in New York; the day before is of another month and year there.
NEW_YORK = "America/New_York"


class Known(NamedTuple):
    """A lake whose bars and trades changed, and moments on the way."""

    lake: Context
    undecided: datetime
    decided: datetime


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2024-01-01T{clock}Z")


def bring_up_to_date(context: Context) -> None:
    silver.consume(context, "agg_trades")
    gold.follow(context)


@pytest.fixture(scope="module")
def known(open_lake: OpenLake) -> Known:
    """Two trades collected live, three that came hours later, one of them late; one corrected."""
    lake = open_lake()
    land(lake, "BTCUSDT", [f"[{aggregate(1)},{aggregate(2)}]"], ids=(1, 2), known=at("00:00:30"))
    bring_up_to_date(lake)
    late = aggregate(3, p='"42000.30000000"')
    midnight = (
        aggregate(4, T=str(MIDNIGHT + 5 * HOUR - 1)),
        aggregate(5, T=str(MIDNIGHT + 5 * HOUR)),
    )
    body = f"[{late},{','.join(midnight)}]"
    times = (MIDNIGHT, MIDNIGHT + 6 * HOUR)
    land(lake, "BTCUSDT", [body], ids=(3, 5), times=times, known=at("06:00:00"))
    again = aggregate(2, p='"43000.00000000"')
    land(lake, "BTCUSDT", [f"[{again}]"], ids=(2, 2), tag="again", known=at("07:00:00"))
    bring_up_to_date(lake)
    undecided = lake.clock.now()
    assert conflicts.correct_dataset(lake, "agg_trades", "id = 2") == 1
    gold.follow(lake)
    return Known(lake, undecided, lake.clock.now())


def answer(context: Context, statement: str) -> list[tuple[Any, ...]]:
    found = context.spark.sql(catalog.with_views(context, statement)).collect()
    return [tuple(row) for row in found]


def first_minute(context: Context, moment: datetime) -> list[tuple[Any, ...]]:
    return answer(
        context,
        f"select high, close, trade_count, reason from ohlcv_as_of(timestamp'{to_iso(moment)}')"  # noqa: S608
        " where bar_interval = '1m' and bar_start = timestamp'2024-01-01T00:00:00Z'",
    )


def prices(context: Context, moment: datetime) -> dict[int, Decimal]:
    rows = f"agg_trades_as_of(timestamp'{to_iso(moment)}')"
    return dict(answer(context, f"select agg_id, price from {rows}"))  # noqa: S608


def test_a_bar_is_what_was_known_of_it(known: Known) -> None:
    old, late, new = Decimal("42000.1"), Decimal("42000.3"), Decimal(43000)

    assert first_minute(known.lake, at("00:00:59.999999")) == [], "the minute has not ended"
    assert first_minute(known.lake, at("00:01:00")) == [(old, old, 2, "first_seen")]
    assert first_minute(known.lake, at("05:59:59")) == [(old, old, 2, "first_seen")]
    (at_six,) = first_minute(known.lake, at("06:00:00"))
    assert at_six[:3] == (late, late, 3)
    assert first_minute(known.lake, known.undecided) == [at_six], "a claim is no knowledge yet"
    (corrected,) = first_minute(known.lake, known.decided)
    assert corrected[:3] == (new, late, 3)


def test_a_trade_is_what_was_known_of_it_and_the_corrected_one_is_kept_whole(known: Known) -> None:
    first = dict.fromkeys((1, 2), Decimal("42000.1"))
    whole = first | {3: Decimal("42000.3"), 4: Decimal("42000.1"), 5: Decimal("42000.1")}

    assert prices(known.lake, at("00:00:29")) == {}
    assert prices(known.lake, at("00:00:30")) == first
    assert prices(known.lake, known.undecided) == whole
    assert prices(known.lake, known.decided) == whole | {2: Decimal(43000)}
    (before,) = held(known.lake, OPS_REPLACED_AGG_TRADES)
    assert (before["price"], before["quote_quantity"]) == (Decimal("42000.1"), Decimal("21000.05"))
    assert before["knowledge_timestamp"] == datetime(2024, 1, 1, 0, 0, 30)


def test_the_functions_take_a_moment_a_row_and_leave_quoted_names_alone(known: Known) -> None:
    decisions = (
        "(values (timestamp'2024-01-01T00:00:59Z'), (timestamp'2024-01-01T00:01:00Z')) d(at)"
    )

    counted = answer(
        known.lake,
        "select d.at, b.trade_count, 'trades_as_of(t)'"  # noqa: S608 - our own words
        f" from {decisions}, lateral OHLCV_as_of(d.at) b",
    )

    assert counted == [(datetime(2024, 1, 1, 0, 1), 2, "trades_as_of(t)")]
    assert answer(known.lake, "select * from trades_as_of(current_timestamp())") == []


def test_the_documents_words_for_duckdb_answer_the_same(known: Known) -> None:
    text = (ROOT / "docs" / "as-of.md").read_text(encoding="utf-8")
    (words,) = re.findall(r"^```sql\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    database = duckdb.connect()
    (extension,) = Path(duckdb_extension_delta.__file__).parent.rglob("delta.duckdb_extension")
    database.load_extension(str(extension))
    columns = "bar_interval, epoch_us(bar_start), revision, close"
    root = known.lake.settings.lake.root

    for moment in (at("00:01:00"), at("06:00:00"), known.undecided, known.decided):
        asked = words.replace("data/replay", root).replace("2024-01-01T03:00:00Z", to_iso(moment))
        found = database.sql(f"SELECT {columns} FROM ({asked})").fetchall()  # noqa: S608
        ours = answer(
            known.lake,
            "select bar_interval, unix_micros(bar_start), revision, close"  # noqa: S608
            f" from ohlcv_as_of(timestamp'{to_iso(moment)}')",
        )
        assert sorted(found) == sorted(ours)
        assert ours


def in_new_york(context: Context) -> Context:
    spark = context.spark.newSession()
    spark.conf.set("spark.sql.session.timeZone", NEW_YORK)
    return replace(context, spark=spark, tables=Tables(spark, context.store), projected=set())


def read_everything(context: Context, moments: Sequence[datetime]) -> list[list[tuple[Any, ...]]]:
    """What a reader asks: rows, counts by partition, by day, the views, and what was known."""
    agg_trades = context.tables.read(SILVER_AGG_TRADES)
    candles = context.tables.read(GOLD_OHLCV)
    since = "bar_start >= timestamp'2024-01-01T00:00:00Z'"
    frames = [
        agg_trades,
        agg_trades.where("year = 2024 and month = 1 and day = 1"),
        agg_trades.groupBy("year", "month", "day", "instrument").count(),
        agg_trades.where("trade_timestamp < timestamp'2024-01-01T05:00:00Z'"),
        candles,
        candles.where(since).groupBy("bar_interval", "year", "month", "bar_start").count(),
    ]
    statements = [
        "select * from gold.ohlcv_by_start where bar_time < timestamp'2024-01-01T05:00:00Z'",
        "select * from gold.ohlcv_by_end where bar_time <= timestamp'2024-01-01T05:00:00Z'",
        "select * from gold.ohlcv_filled where bar_interval <> '1m'",
        *[
            f"select * from {name}_as_of(timestamp'{to_iso(moment)}')"  # noqa: S608
            for name in ("ohlcv", "agg_trades")
            for moment in moments
        ],
    ]
    frames += [context.spark.sql(catalog.with_views(context, one)) for one in statements]
    return [sorted(map(tuple, frame.collect()), key=repr) for frame in frames]


def test_a_session_in_new_york_reads_the_same(known: Known) -> None:
    there = in_new_york(known.lake)
    moments = (at("00:01:00"), at("06:00:00"), known.decided)

    read = read_everything(known.lake, moments)

    assert read_everything(there, moments) == read
    assert all(read[:3])
    assert [row[:3] for row in read[2]] == [(2024, 1, 1)]
    assert there.spark.sql("select hour(timestamp'2024-01-01T05:00:00Z')").first() == (0,)


def test_a_session_in_new_york_builds_the_same(known: Known) -> None:
    there = in_new_york(known.lake)
    before = held(known.lake, GOLD_OHLCV_REVISIONS)
    window = select(there.settings, start="2024-01-01", end="2024-01-02")

    rebuild.run(there, "gold.ohlcv", window)

    assert before
    assert held(known.lake, GOLD_OHLCV_REVISIONS) == before


def test_a_bar_has_both_labels(known: Known) -> None:
    columns = "bar_time, bar_start, bar_end, close"
    where = "where bar_interval = '1h' order by 1"
    start = answer(known.lake, f"select {columns} from gold.ohlcv_by_start {where}")  # noqa: S608
    end = answer(known.lake, f"select {columns} from gold.ohlcv_by_end {where}")  # noqa: S608

    assert [row[0].hour for row in start] == [0, 4, 5]
    assert [row[0].hour for row in end] == [1, 5, 6]
    assert [row[1:] for row in start] == [row[1:] for row in end]
    assert [row[0] - row[1] for row in end] == [timedelta(hours=1)] * 3
    of = [catalog.VIEWS[f"gold.ohlcv_by_{name}"](known.lake).columns for name in ("start", "end")]
    assert of == [["bar_time", *GOLD_OHLCV.schema.names]] * 2
