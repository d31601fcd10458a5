"""The page when things go wrong, on small screens, in the dark, and with hostile names."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from serve.page import STATIC
from tests.browser.candle_server import CandleServer, Row, error, running
from tests.browser.devtools import Tab
from tests.browser.test_page_candles import CANDLES, LAST_DAY, opened

ROOT = Path(__file__).parents[2]
HOSTILE = "<img src=x onerror=document.title='owned'>"
NOTICE = "document.querySelector('#notice').textContent"


@pytest.mark.slow
def test_nothing_published_is_told_and_looked_for_again(
    page: Tab, server: CandleServer, hours: list[Row]
) -> None:
    server.bars = {}
    page.go(server.url)
    page.wait(f"{NOTICE}.startsWith('Nothing is published yet.')")
    assert "./spark-submit.sh publish" in page.text("#notice")

    server.bars = {"BTCUSDT": {"1h": hours[-24:]}}
    page.wait(f"{CANDLES} === 24")


@pytest.mark.slow
def test_an_unknown_instrument_is_told_with_the_hint_of_the_api(
    page: Tab, server: CandleServer
) -> None:
    page.go(server.url + LAST_DAY.replace("BTCUSDT", "BTCUSD"))

    page.wait(f"{NOTICE}.includes('No such instrument: BTCUSD.')")
    assert "Near: BTCUSDT." in page.text("#notice")


@pytest.mark.slow
def test_a_database_that_is_gone_is_asked_again(page: Tab, server: CandleServer) -> None:
    gone = error("database_gone", "The database does not answer.")["error"]
    server.faults = {"ohlcv": (503, gone), "instruments": (503, gone)}
    page.go(server.url + LAST_DAY)
    page.wait(f"{NOTICE}.startsWith('The database does not answer. Trying again in')")

    server.faults = {}
    page.wait(f"{CANDLES} > 24")
    assert page.evaluate("document.querySelector('#notice').hidden") is True


@pytest.mark.slow
def test_a_server_that_went_away_is_told_and_found_again(
    page: Tab, hours: list[Row], server: CandleServer
) -> None:
    held = {"BTCUSDT": {"1h": hours[-24:]}}
    with running(CandleServer(bars=held)) as first:
        port = int(first.url.split(":")[2].strip("/"))
        opened(page, first)
        page.wait("document.querySelector('#live').dataset.state === 'live'")
    page.wait("document.querySelector('#live').dataset.state !== 'live'")
    assert page.text("#title") == "BTCUSDT 1h"

    with running(CandleServer(bars=held), port):
        page.wait("['live', 'polling'].includes(document.querySelector('#live').dataset.state)")
    page.requests = [one for one in page.requests if not one.startswith(first.url)]


@pytest.mark.slow
def test_a_key_is_asked_for_and_used(page: Tab, server: CandleServer) -> None:
    server.key = "the right one"
    page.go(server.url + LAST_DAY)
    page.wait("document.querySelector('#key') !== null")
    page.evaluate("document.querySelector('#key').focus()")
    page.type("the right one")
    page.press("Enter")

    page.wait(f"{CANDLES} > 24")
    assert "the%20right" not in page.evaluate("location.href")


@pytest.mark.slow
def test_a_hostile_name_stays_text_everywhere(
    page: Tab, server: CandleServer, hours: list[Row]
) -> None:
    server.bars[HOSTILE] = {"1h": hours[-24:]}
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
    page: Tab, server: CandleServer
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
    page: Tab, server: CandleServer, hours: list[Row], width: int
) -> None:
    server.bars[HOSTILE * 3] = {"1h": hours[-24:]}
    page.size(width, 800)
    for query in (LAST_DAY, LAST_DAY.replace("BTCUSDT", HOSTILE * 3)):
        opened(page, server, query)
        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        page.wait("document.querySelectorAll('#table-body tr').length > 20")

        assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_is_light_or_dark_as_the_system_says(
    page: Tab, server: CandleServer, tmp_path: Path, *, dark: bool
) -> None:
    page.size(1280, 800, dark=dark)
    opened(page, server)

    with Image.open(page.picture(tmp_path / "page.png")) as image:
        colours = {colour: n for n, colour in image.convert("RGB").getcolors(1 << 24) or []}
    paper, rise = ((19, 26, 34), (91, 167, 236)) if dark else ((255, 255, 255), (23, 100, 171))
    assert colours[paper] > 1280 * 800 / 3
    assert colours[rise] > 100


@pytest.mark.slow
def test_dark_can_be_chosen_and_stays(page: Tab, server: CandleServer, tmp_path: Path) -> None:
    opened(page, server)
    page.evaluate("document.querySelector('#theme').focus()")
    page.type("D")
    page.wait("document.documentElement.dataset.theme === 'dark'")
    opened(page, server)

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(12, 17, 23)"
    page.evaluate("localStorage.clear()")


@pytest.mark.slow
def test_every_control_is_reached_by_tab_and_has_a_name(page: Tab, server: CandleServer) -> None:
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
    for module in modules - {"chart-library/lightweight-charts.mjs"}:
        text = (STATIC / module).read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
