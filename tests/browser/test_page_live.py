"""The page while bars come: from the stream, by asking, with gaps and unfinished bars."""

from __future__ import annotations

import time

import pytest

from tests.browser.candle_server import HOUR, CandleServer, Row, bar, error
from tests.browser.devtools import Tab
from tests.browser.test_page_candles import CANDLES, LAST_DAY, opened

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
LIVE = "document.querySelector('#live').dataset.state"
PRICES = ("43529.94", "44184.1", "43529.93", "44000.01")


def test_a_bar_of_the_stream_is_on_screen(
    page: Tab, server: CandleServer, hours: list[Row]
) -> None:
    opened(page, server)
    page.wait(f"{LIVE} === 'live'")
    server.push("bar", bar(hours[-1]["time"] + HOUR, PRICES))

    page.wait("document.querySelector('#legend-time').textContent === '2024-01-02 00:00 UTC'")
    assert page.text("#legend-close") == "44000.01"
    server.push("bar", bar(hours[-1]["time"] + HOUR, (*PRICES[:3], "43999.0")))
    page.wait("document.querySelector('#legend-close').textContent === '43999.0'")
    page.wait("document.querySelector('#on-screen').textContent.endsWith('2024-01-02 01:00 UTC')")


def test_what_came_before_the_stream_opened_is_asked_for(
    page: Tab, server: CandleServer, hours: list[Row]
) -> None:
    opened(page, server)
    page.wait(f"{LIVE} === 'live'")

    assert any(f"start={hours[-1]['time']}&order=asc" in one for one in server.asked)


def test_where_the_stream_is_refused_the_page_asks_again_and_again(
    page: Tab, server: CandleServer, hours: list[Row]
) -> None:
    server.faults["live/sse"] = (503, error("busy", "Too many listen.")["error"])
    opened(page, server)
    page.wait(f"{LIVE} === 'polling'")
    server.bars["BTCUSDT"]["1h"] = [*hours, bar(hours[-1]["time"] + HOUR, PRICES)]

    page.wait("document.querySelector('#legend-close').textContent === '44000.01'", 10)


def test_a_publication_brings_new_certificates(page: Tab, server: CandleServer) -> None:
    opened(page, server)
    page.wait("document.querySelector('#verdict').textContent.startsWith('Not compared')")
    server.certificates = [certificate(unexplained=2)]
    page.wait(f"{LIVE} === 'live'")
    server.push("publication", {"number": 2})

    page.wait("document.querySelector('#verdict').dataset.state === 'bad'")
    assert "2 of 216 fields differ and nothing explains it" in page.text("#verdict")


def test_the_certificate_says_how_much_was_compared(page: Tab, server: CandleServer) -> None:
    server.certificates = [certificate()]
    opened(page, server)

    page.wait("document.querySelector('#verdict').dataset.state === 'good'")
    assert page.text("#verdict") == "216 of 216 compared fields equal (100.00 %), none unexplained."
    assert "196f2889d602dea749f4bccba7b58922" in page.text("#certificates")


def test_a_certificate_of_a_part_is_no_good_verdict(page: Tab, server: CandleServer) -> None:
    server.certificates = [certificate(window_start=1704067200000 + HOUR)]
    opened(page, server)

    page.wait("document.querySelector('#verdict').dataset.state === 'part'")
    assert "Part of what is on screen was not compared" in page.text("#verdict")


def certificate(**changed: int) -> Row:
    """The certificate of the bundled day, as a run of the pipeline wrote it."""
    return {
        "run_id": "20261129T074503Z-a415b1d6",
        "check_name": "bars",
        "dataset": "ohlcv",
        "bar_interval": "1h",
        "left_side": "gold",
        "right_side": "published",
        "window_start": 1704067200000,
        "window_end": 1704153600000,
        "left_rows": 24,
        "right_rows": 24,
        "matched": 24,
        "compared": 216,
        "equal": 216,
        "equal_after_rounding": 0,
        "not_derivable": 0,
        "different": 0,
        "only_left": 0,
        "only_right": 0,
        "unexplained": 0,
        "undetermined": 0,
        "causes": {},
        "left_hash": "196f2889d602dea749f4bccba7b58922",
        "right_hash": "196f2889d602dea749f4bccba7b58922",
        "checked_at": 1795938625051,
        **changed,
    }


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ({"is_complete": False}, "incomplete"),
        ({"is_filled": True, "trade_count": 0, "volume": "0"}, "quiet"),
        (dict.fromkeys(("open", "high", "low", "close")) | {"trade_count": 2}, "unpriced"),
        (
            dict.fromkeys(("open", "high", "low", "close"))
            | {"trade_count": 0, "is_complete": False, "is_filled": True, "volume": "0"},
            "unknown",
        ),
        ({"time": int(time.time() * 1000) // HOUR * HOUR, "is_complete": False}, "forming"),
    ],
)
def test_bars_that_are_not_whole_are_told_apart(
    page: Tab, server: CandleServer, hours: list[Row], changed: Row, state: str
) -> None:
    server.bars["BTCUSDT"]["1h"] = [*hours[:-1], hours[-1] | changed]
    opened(page, server, LAST_DAY.partition("&start")[0])

    assert page.evaluate("document.querySelector('#legend-state').dataset.state") == state
    assert (page.text("#legend-close") == "\N{EN DASH}") == (state in ("unpriced", "unknown"))


def test_absent_bars_leave_a_gap_of_their_width(
    page: Tab, server: CandleServer, hours: list[Row]
) -> None:
    server.bars["BTCUSDT"]["1h"] = [*hours[:-12], *hours[-6:]]
    opened(page, server)
    page.evaluate("document.querySelector('#chart').focus()")

    page.press("ArrowLeft", 7)
    assert page.text("#legend-time") == "2024-01-01 17:00 UTC"
    assert page.text("#legend-state") == "no bar at the exchange"
    page.press("ArrowLeft", 6)
    assert page.text("#legend-time") == "2024-01-01 11:00 UTC"
    assert page.text("#legend-state") == "complete"


def test_unknown_minutes_are_shaded_and_not_bridged(
    page: Tab, server: CandleServer, hours: list[Row]
) -> None:
    unknown = {"open": None, "high": None, "low": None, "close": None, "trade_count": 0}
    rows = [one | unknown | {"is_complete": False} for one in hours[-12:-6]]
    server.bars["BTCUSDT"]["1h"] = [*hours[:-12], *rows, *hours[-6:]]
    opened(page, server)

    colours = page.evaluate("""(() => {
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
    counts, pixels = colours
    # the orange of a fall at 14 % on white
    shaded = sum(n for colour, n in counts.items() if colour.startswith("246,23"))
    assert 0.1 < shaded / pixels < 0.3, sorted(counts.items(), key=lambda one: -one[1])[:8]


def test_days_of_the_calendar_say_how_whole_they_are_and_open_by_keyboard(
    page: Tab, server: CandleServer, hours: list[Row]
) -> None:
    opened(page, server)
    page.wait("document.querySelectorAll('#calendar button').length === 1")
    label = page.evaluate("document.querySelector('#calendar button').ariaLabel")
    assert label == "2024-01-01: 1,440 of 1,440 minutes complete (100.00 %)"

    page.click("#year-before")
    page.evaluate("document.querySelector('#calendar button').focus()")
    page.press("ArrowDown")
    page.press("Enter")

    page.wait(
        "document.querySelector('#on-screen').textContent"
        " === '2023-01-08 00:00 to 2023-01-09 00:00 UTC'"
    )
    page.wait(f"{CANDLES} > 1000")


def test_holes_are_listed(page: Tab, server: CandleServer, hours: list[Row]) -> None:
    server.holes = [
        {
            "dataset": "agg_trades",
            "first_id": 5,
            "last_id": 9,
            "from": hours[-3]["time"],
            "until": hours[-2]["time"],
            "cause": "not_asked_for",
            "state": "open",
        }
    ]
    opened(page, server)

    page.wait("document.querySelector('#holes-count').textContent === '1'")
    page.click("#holes summary")
    row = page.text("#holes-body tr")
    assert row.split("\t")[1:] == [
        "5 to 9",
        "2024-01-01 21:00 to 2024-01-01 22:00",
        "not_asked_for",
        "open",
    ]
