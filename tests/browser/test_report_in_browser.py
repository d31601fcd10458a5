"""The page of a reconciliation in a real browser: it is read on screens and on telephones."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from jobs.reconciliation.report.page import page
from tests.browser.browser import in_frame, install, opened
from tests.reconciled import broken, report

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
TELEPHONE, HEIGHT = 380, 6000


@pytest.fixture(scope="module", autouse=True)
def browser() -> None:
    install()


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The page of a run that the gate stopped, with a hostile instrument on it."""
    path = tmp_path / "report.html"
    path.write_text(page(broken()), encoding="utf-8")
    return path


def test_the_verdict_stands_in_the_page(written: Path) -> None:
    shown = opened(written, "--dump-dom")

    assert "<title>Reconciliation, 2024-01-01 00:05:00 to 2024-01-01 00:10:00 UTC</title>" in shown
    assert "1 difference is unexplained: trade 7 of BTCUSDT, price: 42283.58" in shown


@pytest.mark.parametrize("width", [TELEPHONE, 1200])
def test_no_line_leaves_the_page_and_no_name_becomes_markup(written: Path, width: int) -> None:
    _, told = in_frame(written.read_text(encoding="utf-8"), written.parent, width, HEIGHT)

    assert told["width"] == width
    assert told["height"] <= HEIGHT
    assert told["foreign"] == 0


@pytest.mark.parametrize("width", [TELEPHONE, 1200])
def test_the_picture_shows_ink_and_colours(written: Path, width: int) -> None:
    frame, _ = in_frame(written.read_text(encoding="utf-8"), written.parent, width, HEIGHT)
    picture = written.with_name(f"{width}.png")
    opened(frame, f"--screenshot={picture}", f"--window-size={max(width, 500)},2400")

    with Image.open(picture) as image:
        pixels = image.convert("RGB").crop((0, 0, width, 2400))
    counts = {colour: count for count, colour in pixels.getcolors(1 << 24) or []}
    white = counts[255, 255, 255]
    assert 0.3 < white / (width * 2400) < 0.97
    # the rim of a verdict that stopped the run
    assert counts[0xA6, 0x36, 0x03] > 500


def test_a_good_page_is_blue(tmp_path: Path) -> None:
    path, picture = tmp_path / "report.html", tmp_path / "report.png"
    path.write_text(page(report()), encoding="utf-8")
    opened(path, f"--screenshot={picture}", "--window-size=1200,1600")

    with Image.open(picture) as image:
        colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 24) or []}
    assert (0x08, 0x51, 0x9C) in colours
    assert (0xA6, 0x36, 0x03) not in colours
