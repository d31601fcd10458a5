"""The page when things go wrong, on small screens, in the dark, and with hostile names."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from PIL import Image
from websockets.sync.client import ClientConnection

from serve.api.keys import new_key
from serve.records import Publication
from tests.browser.devtools import Tab, tab
from tests.browser.recorded_market import RecordedMarket, recorded_bars, recorded_hours
from tests.browser.test_page_candles import CANDLES, LAST_DAY, opened
from tests.serve_api.conftest import Running, running

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "serve" / "page" / "static"
HOSTILE = "<img src=x onerror=document.title='owned'>"
NOTICE = "document.querySelector('#notice').textContent"


@pytest.mark.slow
def test_nothing_published_is_told_and_looked_for_again(chromium: ClientConnection) -> None:
    empty = RecordedMarket(newest=Publication(0, 0))
    with running(empty) as server, tab(chromium) as page:
        page.go(server.url)
        page.wait(f"{NOTICE}.startsWith('Nothing is published yet.')")
        assert "./spark-submit.sh publish" in page.text("#notice")

        empty.put("BTCUSDT", recorded_bars())
        page.wait(f"{CANDLES} > 24")


@pytest.mark.slow
def test_an_unknown_instrument_is_told_with_the_hint_of_the_api(page: Tab, server: Running) -> None:
    page.go(f"{server.url}/{LAST_DAY.replace('BTCUSDT', 'BTCUSD')}")

    page.wait(f"{NOTICE}.includes('BTCUSD')")
    assert "BTCUSDT" in page.text("#notice .hint")
    assert page.evaluate("document.querySelector('#controls').inert") is True


@pytest.mark.slow
def test_nothing_of_the_instrument_before_stays_where_another_is_unknown(
    page: Tab, server: Running
) -> None:
    opened(page, server)
    page.wait("document.querySelectorAll('#calendar button').length === 1")
    page.evaluate("history.pushState(null, '', location.search.replace('BTCUSDT', 'BTCUSD'))")
    page.evaluate("history.pushState(null, '', '?')")
    page.evaluate("history.back()")
    page.wait(f"{NOTICE}.includes('BTCUSD')")

    assert page.text("#title") == "BTCUSD 1h"
    assert page.evaluate(CANDLES) == 0
    assert page.text("#legend-close") == "\N{EN DASH}"
    assert page.evaluate("document.querySelectorAll('#calendar button').length") == 0


@pytest.mark.slow
def test_a_database_that_is_gone_is_asked_again(
    page: Tab, server: Running, market: RecordedMarket
) -> None:
    market.is_gone = True
    page.go(f"{server.url}/{LAST_DAY}")
    page.wait(f"{NOTICE}.includes('Trying again in 2 s.')")
    assert page.text("#notice p").startswith("the database of the tests is gone")

    market.is_gone = False
    page.wait(f"{CANDLES} > 24")
    assert page.evaluate("document.querySelector('#notice').hidden") is True


@pytest.mark.slow
def test_a_connection_that_is_lost_is_told_and_found_again(page: Tab, server: Running) -> None:
    lost = {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    opened(page, server)
    page.wait("document.querySelector('#live').dataset.state === 'live'")
    page.call("Network.emulateNetworkConditions", **lost)
    page.click("#intervals label:nth-of-type(5)")
    page.wait(f"{NOTICE}.startsWith('The API does not answer. Trying again in')")

    page.call("Network.emulateNetworkConditions", **{**lost, "offline": False})
    page.wait("document.querySelector('#title').textContent === 'BTCUSDT 4h'")
    page.wait("document.querySelector('#notice').hidden")


@pytest.mark.slow
def test_a_key_is_asked_for_and_used(
    chromium: ClientConnection, market: RecordedMarket, tmp_path: Path
) -> None:
    key = new_key(tmp_path / "keys", "page")
    with running(market, keys_file=str(tmp_path / "keys")) as server, tab(chromium) as page:
        page.go(f"{server.url}/{LAST_DAY}")
        page.wait("document.querySelector('#key') !== null")
        page.evaluate("document.querySelector('#key').focus()")
        page.type(key)
        page.press("Enter")

        page.wait(f"{CANDLES} > 24")
        assert not [one for one in page.requests if key in one]
        page.wait("document.querySelector('#live').dataset.state === 'polling'")


@pytest.mark.slow
def test_a_server_that_gives_few_rows_at_once_is_asked_more_often(
    chromium: ClientConnection, market: RecordedMarket
) -> None:
    with running(market, page_rows=400, most_rows=700) as server, tab(chromium) as page:
        opened(page, server, LAST_DAY.replace("2024-01-01", "2023-12-01"))

        page.wait(f"{CANDLES} >= 744")
        assert page.text("#legend-time") == "2024-01-01 23:00 UTC"


@pytest.mark.slow
def test_a_hostile_name_stays_text_everywhere(
    page: Tab, server: Running, market: RecordedMarket
) -> None:
    market.put(HOSTILE, {"1h": recorded_hours()[-24:]})
    opened(page, server)
    page.press("/")
    page.type("<img")
    page.wait("document.querySelectorAll('#found li').length === 1")
    assert page.text("#found b") == HOSTILE
    page.press("Enter")

    page.wait(f"{CANDLES} === 24")
    assert page.text("#title") == f"{HOSTILE} 1h"
    assert page.evaluate("document.title") == f"{HOSTILE} 1h \N{EN DASH} Candlelake"
    assert page.evaluate("document.querySelectorAll('img, [onerror]').length") == 0
    page.go(page.evaluate("location.href"))
    page.wait(f"{CANDLES} === 24")
    assert page.text("#title") == f"{HOSTILE} 1h"


@pytest.mark.slow
def test_the_policy_that_comes_with_the_page_stops_inline_scripts(
    page: Tab, server: Running
) -> None:
    opened(page, server)
    page.evaluate("""(() => {
      const script = document.createElement('script');
      script.textContent = 'window.ran = true';
      document.body.append(script);
    })()""")

    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in one for one in page.complaints)
    page.complaints.clear()


@pytest.mark.slow
@pytest.mark.parametrize("width", [380, 320])
def test_a_telephone_shows_all_without_scrolling_sideways(
    page: Tab, server: Running, market: RecordedMarket, width: int
) -> None:
    long = HOSTILE * 2
    market.put(long, {"1h": recorded_hours()[-24:]})
    page.size(width, 800)
    for query in (LAST_DAY, LAST_DAY.replace("BTCUSDT", long)):
        opened(page, server, query)
        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        page.wait("document.querySelectorAll('#table-body tr').length > 20")

        assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_is_light_or_dark_as_the_system_says(
    page: Tab, server: Running, tmp_path: Path, *, dark: bool
) -> None:
    page.size(1280, 800, dark=dark)
    opened(page, server)

    with Image.open(page.picture(tmp_path / "page.png")) as image:
        colours = {colour: n for n, colour in image.convert("RGB").getcolors(1 << 24) or []}
    paper, rise = ((19, 26, 34), (91, 167, 236)) if dark else ((255, 255, 255), (23, 100, 171))
    assert colours[paper] > 1280 * 800 / 3
    assert colours[rise] > 100


@pytest.mark.slow
def test_dark_can_be_chosen_and_stays(page: Tab, server: Running, tmp_path: Path) -> None:
    opened(page, server)
    page.evaluate("document.querySelector('#theme').focus()")
    page.type("D")
    page.wait("document.documentElement.dataset.theme === 'dark'")
    opened(page, server)

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(12, 17, 23)"
    page.evaluate("localStorage.clear()")


@pytest.mark.slow
def test_every_control_is_reached_by_tab_and_has_a_name(page: Tab, server: Running) -> None:
    opened(page, server)
    page.wait("document.querySelectorAll('#calendar button').length > 0")
    page.wait("document.querySelector('#file-parquet').href")
    reached = []
    for _ in range(40):
        page.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.id || document.activeElement.innerText")
        )
    wanted = ["Skip to the chart", "search", "theme", "1 day", "Newest", "from", "to", "Show"]
    wanted += ["chart", "file-csv", "file-parquet", "year-before"]
    nameless = page.evaluate("""[...document.querySelectorAll('button, input, select, a')]
      .filter((one) => !(one.innerText || one.ariaLabel || one.labels?.length))
      .map((one) => one.outerHTML)""")

    assert [one for one in wanted if one not in reached] == []
    assert nameless == []


def test_the_chart_library_is_what_its_makers_published() -> None:
    script = ROOT / "deploy" / "page" / "chart-library.sh"
    subprocess.run([str(script), "check"], check=True)


def test_the_page_loads_every_module_at_once_and_holds_nothing_inline() -> None:
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    modules = {path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*.*js")} - {"theme.js"}

    assert set(re.findall(r'rel="modulepreload" href="([^"]+)"', page)) == modules
    assert re.findall(r"<script>|<style|\sstyle=|\son[a-z]+=", page) == []
    for module in modules - {"vendor/lightweight-charts.mjs"}:
        text = (STATIC / module).read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
