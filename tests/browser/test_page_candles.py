"""The page with 6 years of recorded hours: fast, by keyboard, exact, and linkable."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser.devtools import SHIFT, Tab
from tests.browser.recorded_market import (
    HOUR,
    NEWEST,
    RecordedMarket,
    milliseconds,
    recorded_hours,
)
from tests.serve_api.conftest import Running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PAINTED = "performance.getEntriesByName('candles-painted').length"
CANDLES = "Number(document.querySelector('#chart').dataset.candles)"
ON_SCREEN = "document.querySelector('#on-screen').textContent"
LAST_DAY = "?exchange=binance&kind=spot&instrument=BTCUSDT&interval=1h&start=2024-01-01"
#: Whether canvas pixels of the chart have a colour that is neither paper nor grey.
INK = """(() => {
  let ink = 0;
  for (const canvas of document.querySelectorAll('#chart canvas')) {
    const {width, height} = canvas;
    if (!width || !height) continue;
    const pixels = canvas.getContext('2d').getImageData(0, 0, width, height).data;
    for (let place = 0; place < pixels.length; place += 4) {
      if (pixels[place + 3] && Math.abs(pixels[place] - pixels[place + 2]) > 60) ink += 1;
    }
  }
  return ink;
})()"""


def opened(page: Tab, server: Running, query: str = LAST_DAY) -> Tab:
    page.go(f"{server.url}/{query}")
    page.wait(PAINTED)
    return page


def asked(page: Tab) -> dict[str, str]:
    """What the page's address says."""
    query = urlsplit(page.evaluate("location.href")).query
    return {name: words[0] for name, words in parse_qs(query).items()}


def test_5000_candles_are_usable_in_under_a_second(page: Tab, server: Running) -> None:
    first = recorded_hours()[-5000].bar_start
    times = []
    for _ in range(3):
        opened(page, server, LAST_DAY.replace("2024-01-01", str(first)))
        painted = page.evaluate("performance.getEntriesByName('candles-painted')[0].startTime")
        answered = page.evaluate("""(async () => {
          const begun = performance.now();
          const chart = document.querySelector('#chart');
          chart.focus();
          chart.dispatchEvent(new KeyboardEvent('keydown', {key: 'Home', bubbles: true}));
          while (!document.querySelector('#legend-time').textContent.startsWith('2023-06-')) {
            await new Promise(requestAnimationFrame);
          }
          await new Promise(requestAnimationFrame);
          return performance.now() - begun;
        })()""")
        assert page.evaluate(CANDLES) >= 5000
        assert page.evaluate(INK) > 2000
        times.append(painted + answered)
        page.go("about:blank")

    assert min(times) < 1000, times


def test_an_empty_chart_has_no_ink(page: Tab, server: Running, market: RecordedMarket) -> None:
    market.put("BTCUSDT", {"1h": []})
    opened(page, server)

    assert page.evaluate(INK) == 0
    assert "no candles in this range" in page.text("#notice")


def test_the_legend_says_the_newest_bar_in_the_exact_text_of_the_api(
    page: Tab, server: Running, market: RecordedMarket
) -> None:
    exact = recorded_hours()[-1]._replace(close="44179.5500000001", volume="0.00000001")
    market.put("BTCUSDT", {"1h": [*recorded_hours()[:-1], exact]})
    opened(page, server)

    assert page.text("#legend-time") == "2024-01-01 23:00 UTC"
    assert page.text("#legend-close") == "44179.5500000001"
    assert page.text("#legend-volume") == "0.00000001"
    assert page.text("#legend-change") == "+649.6100000001"
    assert page.text("#legend-state") == "complete"


def test_arrow_keys_go_candle_by_candle_and_are_told(page: Tab, server: Running) -> None:
    opened(page, server)
    page.evaluate("document.querySelector('#chart').focus()")

    page.press("ArrowLeft", 2)
    assert page.text("#legend-time") == "2024-01-01 22:00 UTC"
    page.press("ArrowLeft", modifiers=SHIFT)
    assert page.text("#legend-time") == "2024-01-01 12:00 UTC"
    assert page.text("#legend-open") == "42690.21"
    page.wait(
        "document.querySelector('#spoken').textContent.startsWith('2024-01-01 12:00: open 42690')"
    )
    page.press("Home")
    assert page.text("#legend-time") == "2024-01-01 00:00 UTC"
    page.press("Escape")
    assert page.text("#legend-time") == "2024-01-01 23:00 UTC"


def test_the_mouse_points_too(page: Tab, server: Running) -> None:
    opened(page, server)
    box = page.evaluate("document.querySelector('#chart').getBoundingClientRect().toJSON()")

    page.move(box["x"] + 5, box["y"] + 50)

    page.wait("document.querySelector('#legend-time').textContent === '2024-01-01 00:00 UTC'")


def test_search_by_keyboard_alone(page: Tab, server: Running, market: RecordedMarket) -> None:
    market.put("ETHUSDT", {"1h": recorded_hours()[-48:]})
    market.put("ETHBTC", {"1h": recorded_hours()[-24:]})
    opened(page, server)

    page.press("/")
    page.type("eth")
    page.wait("document.querySelectorAll('#found li').length === 2")
    assert page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "true"
    page.press("ArrowDown")
    active = page.evaluate("document.activeElement.getAttribute('aria-activedescendant')")
    assert page.text(f"#{active} b") == "ETHUSDT"
    page.press("Enter")

    page.wait("document.querySelector('#title').textContent === 'ETHUSDT 1h'")
    page.wait(f"{CANDLES} === 48")
    assert asked(page)["instrument"] == "ETHUSDT"
    assert page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "false"


def test_a_search_that_finds_nothing_says_so_and_escape_restores(
    page: Tab, server: Running
) -> None:
    opened(page, server)
    page.press("/")
    page.type("doge")

    page.wait("document.querySelector('#search-said').textContent.includes('“doge”')")
    page.press("Tab")
    assert page.evaluate("document.querySelector('#search').value") == "BTCUSDT"


def test_the_interval_is_changed_by_arrow_keys_and_back_undoes_it(
    page: Tab, server: Running
) -> None:
    opened(page, server)
    page.evaluate("document.querySelector('#intervals input:checked').focus()")
    page.press("ArrowRight")

    page.wait("document.querySelector('#title').textContent === 'BTCUSDT 4h'")
    assert asked(page)["interval"] == "4h"
    # a day of 4 hours is six candles: those before come too
    page.wait("Number(document.querySelector('#table-count').textContent) > 100")
    page.evaluate("history.back()")
    page.wait("document.querySelector('#title').textContent === 'BTCUSDT 1h'")


def test_a_range_button_and_the_dates_choose_what_is_on_screen(page: Tab, server: Running) -> None:
    opened(page, server)
    page.click("#ranges button[data-days='7']")
    page.wait(f"{ON_SCREEN}.startsWith('2023-12-2')")

    page.evaluate("document.querySelector('#from').value = '2020-03-12'")
    page.evaluate("document.querySelector('#to').value = '2020-03-13'")
    page.click("#dates button")

    page.wait(f"{ON_SCREEN} === '2020-03-12 00:00 to 2020-03-14 00:00 UTC'")
    assert asked(page) | {"start": "2020-03-12", "end": "2020-03-14"} == asked(page)
    assert page.text("#live") == "not live: this range has ended"


def test_days_in_the_wrong_order_are_refused(page: Tab, server: Running) -> None:
    opened(page, server)
    page.evaluate("document.querySelector('#from').value = '2020-03-12'")
    page.evaluate("document.querySelector('#to').value = '2020-03-11'")
    page.click("#dates button")

    said = page.evaluate("document.querySelector('#to').validationMessage")
    assert said == "The last day is before the first one."


def test_a_year_of_hours_is_shown_in_longer_candles_where_they_would_be_too_many(
    page: Tab, server: Running
) -> None:
    opened(page, server)
    page.click("#ranges button[data-days='365']")

    page.wait("document.querySelector('#title').textContent === 'BTCUSDT 4h'")


def test_older_candles_load_at_the_left_edge(page: Tab, server: Running) -> None:
    opened(page, server, LAST_DAY.partition("&start")[0])
    assert page.evaluate(CANDLES) == 1500
    page.evaluate("document.querySelector('#chart').focus()")

    for _ in range(300):
        page.press("PageUp")
        page.evaluate("new Promise(requestAnimationFrame)")
        page.press("Home")
        if page.text("#legend-time") < "2023-10-30":
            break

    assert page.evaluate(CANDLES) > 1500
    assert any("cursor=" in one for one in page.requests)
    assert "2023-10-2" in page.text("#legend-time")
    assert page.text("#legend-close") != "\N{EN DASH}"


def test_a_link_shows_the_same_again(page: Tab, server: Running) -> None:
    opened(page, server, LAST_DAY.replace("2024-01-01", "2021-05-19T06:00Z&end=2021-05-20"))

    shown = "2021-05-19 06:00 to 2021-05-20 00:00 UTC"
    page.wait(f"{ON_SCREEN} === '{shown}'")
    assert asked(page)["start"] == "2021-05-19T06:00Z"


def test_an_address_with_a_bad_time_is_shown_and_told(page: Tab, server: Running) -> None:
    opened(page, server, LAST_DAY.replace("2024-01-01", "yesterday"))

    page.wait("document.querySelector('#notice').textContent.includes('start=yesterday')")


def test_the_table_holds_the_candles_on_screen(page: Tab, server: Running) -> None:
    opened(page, server)
    page.wait("document.querySelector('#table-count').textContent === '24'")
    assert page.evaluate("document.querySelectorAll('#table-body tr').length") == 0
    page.evaluate("document.querySelector('#table summary').focus()")
    page.press("Enter")

    page.wait("document.querySelectorAll('#table-body tr').length === 24")
    first = page.evaluate("document.querySelector('#table-body tr').innerText")
    assert first.split("\t")[:5] == [
        "2024-01-01 00:00",
        "42283.58",
        "42554.57",
        "42261.02",
        "42475.23",
    ]


def test_the_files_are_of_what_is_on_screen(page: Tab, server: Running) -> None:
    opened(page, server)
    page.wait("document.querySelector('#file-csv').href")
    query = parse_qs(urlsplit(page.evaluate("document.querySelector('#file-csv').href")).query)

    assert query["format"] == ["csv"]
    assert int(query["start"][0]) == milliseconds("2024-01-01")
    assert int(query["end"][0]) == NEWEST + HOUR


def test_few_candles_are_all_on_screen(page: Tab, server: Running, market: RecordedMarket) -> None:
    market.put("BTCUSDT", {"1h": recorded_hours()[-24:]})
    opened(page, server, LAST_DAY.partition("&start")[0])

    page.wait("document.querySelector('#table-count').textContent === '24'")
