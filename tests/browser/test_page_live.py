"""The page while bars come: from the stream, by asking, with gaps and unfinished bars."""

from __future__ import annotations

import time
from typing import Any

import pytest

from serve.records import Run, Stretch
from tests.browser.devtools import Tab
from tests.browser.recorded_market import (
    HOUR,
    NEWEST,
    RecordedMarket,
    bar,
    certificate,
    recorded_hours,
)
from tests.browser.test_page_candles import CANDLES, LAST_DAY, ON_SCREEN, opened
from tests.serve_api.conftest import Running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
LIVE = "document.querySelector('#live').dataset.state"
PRICES = ("43529.94", "44184.1", "43529.93", "44000.01")
NO_PRICE = dict.fromkeys(("open", "high", "low", "close"))
NOW = time.time_ns() // 1_000_000


def test_a_bar_of_the_stream_is_on_screen(
    page: Tab, server: Running, market: RecordedMarket
) -> None:
    opened(page, server)
    page.wait(f"{LIVE} === 'live'")
    page.wait("document.querySelector('#verdict').textContent")
    # only the stream can bring bars from here on
    page.call("Network.setBlockedURLs", urls=["*ohlcv*"])
    market.put("BTCUSDT", {"1h": [*recorded_hours(), bar(NEWEST + HOUR, PRICES)]})

    page.wait("document.querySelector('#legend-time').textContent === '2024-01-02 00:00 UTC'")
    assert page.text("#legend-close") == "44000.01"
    market.put("BTCUSDT", {"1h": [*recorded_hours(), bar(NEWEST + HOUR, (*PRICES[:3], "43999"))]})
    page.wait("document.querySelector('#legend-close').textContent === '43999'")
    page.wait(f"{ON_SCREEN}.endsWith('2024-01-02 01:00 UTC')")


def test_what_came_before_the_stream_opened_is_asked_for(page: Tab, server: Running) -> None:
    opened(page, server)
    page.wait(f"{LIVE} === 'live'")
    page.wait("document.querySelector('#verdict').textContent")

    assert any(f"start={NEWEST}&order=asc" in one for one in page.requests)


def test_where_the_stream_is_cut_the_page_asks_again_and_again(
    page: Tab, server: Running, market: RecordedMarket
) -> None:
    page.call("Network.setBlockedURLs", urls=["*live/sse*"])
    opened(page, server)
    page.wait(f"{LIVE} === 'polling'")
    market.put("BTCUSDT", {"1h": [*recorded_hours(), bar(NEWEST + HOUR, PRICES)]})

    page.wait("document.querySelector('#legend-close').textContent === '44000.01'", 10)


def test_a_publication_brings_new_certificates(
    page: Tab, server: Running, market: RecordedMarket
) -> None:
    opened(page, server)
    page.wait("document.querySelector('#verdict').textContent.startsWith('Not compared')")
    page.wait(f"{LIVE} === 'live'")
    market.checks = {1: [certificate(unexplained=2)]}
    market.publish()

    page.wait("document.querySelector('#verdict').dataset.state === 'bad'")
    assert "2 of 216 fields differ and nothing explains it" in page.text("#verdict")


def test_the_certificate_says_how_much_was_compared(
    page: Tab, server: Running, market: RecordedMarket
) -> None:
    market.checks = {1: [certificate()]}
    opened(page, server)

    page.wait("document.querySelector('#verdict').dataset.state === 'good'")
    assert page.text("#verdict") == "216 of 216 compared fields equal (100.00 %), none unexplained."
    assert "196f2889d602dea749f4bccba7b58922" in page.text("#certificates")


def test_a_certificate_of_a_part_is_no_good_verdict(
    page: Tab, server: Running, market: RecordedMarket
) -> None:
    market.checks = {1: [certificate(window_start=NEWEST)]}
    opened(page, server)

    page.wait("document.querySelector('#verdict').dataset.state === 'part'")
    assert "Part of what is on screen was not compared" in page.text("#verdict")


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ({"is_complete": False}, "incomplete"),
        ({**NO_PRICE, "trade_count": 2}, "unpriced"),
        (
            {"bar_start": NOW // HOUR * HOUR, "bar_end": NOW // HOUR * HOUR + HOUR},
            "forming",
        ),
    ],
)
def test_bars_that_are_not_whole_are_told_apart(
    page: Tab, server: Running, market: RecordedMarket, changed: dict[str, Any], state: str
) -> None:
    last = recorded_hours()[-1]._replace(**changed)
    market.put("BTCUSDT", {"1h": [last]})
    opened(page, server, LAST_DAY.partition("&start")[0])

    assert page.evaluate("document.querySelector('#legend-state').dataset.state") == state
    assert (page.text("#legend-close") == "\N{EN DASH}") == (state == "unpriced")


@pytest.mark.parametrize(("state", "close"), [("quiet", "42690.2"), ("unknown", "\N{EN DASH}")])
def test_hours_without_prints_are_quiet_or_not_known(
    page: Tab, server: Running, market: RecordedMarket, state: Any, close: str
) -> None:
    market.put("BTCUSDT", {"1h": [*recorded_hours()[:-12], *recorded_hours()[-6:]]})
    market.runs_held = {(1, "1h"): [Run(NEWEST - 11 * HOUR, NEWEST - 5 * HOUR, state)]}
    opened(page, server)
    page.evaluate("document.querySelector('#chart').focus()")
    page.press("ArrowLeft", 7)

    assert page.text("#legend-time") == "2024-01-01 17:00 UTC"
    assert page.evaluate("document.querySelector('#legend-state').dataset.state") == state
    assert page.text("#legend-close") == close


def test_absent_bars_leave_a_gap_of_their_width(
    page: Tab, server: Running, market: RecordedMarket
) -> None:
    market.put("BTCUSDT", {"1h": [*recorded_hours()[:-12], *recorded_hours()[-6:]]})
    opened(page, server)
    page.evaluate("document.querySelector('#chart').focus()")

    page.press("ArrowLeft", 7)
    assert page.text("#legend-time") == "2024-01-01 17:00 UTC"
    assert page.text("#legend-state") == "no bar at the exchange"
    page.press("ArrowLeft", 6)
    assert page.text("#legend-time") == "2024-01-01 11:00 UTC"
    assert page.text("#legend-state") == "complete"


def test_unknown_hours_are_shaded_and_not_bridged(
    page: Tab, server: Running, market: RecordedMarket
) -> None:
    market.put("BTCUSDT", {"1h": [*recorded_hours()[:-12], *recorded_hours()[-6:]]})
    market.runs_held = {(1, "1h"): [Run(NEWEST - 11 * HOUR, NEWEST - 5 * HOUR, "unknown")]}
    opened(page, server)

    counts, pixels = page.evaluate("""(() => {
      const canvas = document.querySelector('#chart canvas');
      const {width, height} = canvas;
      const pixels = canvas.getContext('2d').getImageData(0, 0, width, height).data;
      const found = {};
      for (let place = 0; place < pixels.length; place += 4) {
        const colour = pixels.slice(place, place + 3).join();
        found[colour] = (found[colour] ?? 0) + 1;
      }
      return [found, width * height];
    })()""")
    # the orange of a fall at 14 % on white
    shaded = sum(n for colour, n in counts.items() if colour.startswith("246,23"))
    assert 0.1 < shaded / pixels < 0.3, sorted(counts.items(), key=lambda one: -one[1])[:8]


def test_days_of_the_calendar_say_how_whole_they_are_and_open_by_keyboard(
    page: Tab, server: Running
) -> None:
    opened(page, server)
    page.wait("document.querySelectorAll('#calendar button').length === 1")
    label = page.evaluate("document.querySelector('#calendar button').ariaLabel")
    assert label == "2024-01-01: 1,440 of 1,381 minutes complete (104.27 %)"

    page.click("#year-before")
    page.evaluate("document.querySelector('#calendar button').focus()")
    page.press("ArrowDown")
    page.press("Enter")

    page.wait(f"{ON_SCREEN} === '2023-01-08 00:00 to 2023-01-09 00:00 UTC'")
    page.wait(f"{CANDLES} > 20")


def test_holes_are_listed(page: Tab, server: Running, market: RecordedMarket) -> None:
    hole = (5, 9, NEWEST - 2 * HOUR, NEWEST - HOUR, "not_loaded", "open")
    market.ledger = {1: [Stretch("agg_trades", "hole", *hole)]}
    opened(page, server)

    page.wait("document.querySelector('#holes-count').textContent === '1'")
    page.click("#holes summary")
    row = page.text("#holes-body tr")
    assert row.split("\t") == [
        "agg_trades",
        "5 to 9",
        "2024-01-01 21:00 to 2024-01-01 22:00",
        "not_loaded",
        "open",
    ]
