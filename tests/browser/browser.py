"""A real browser without a window: what it makes of a page, as text and as a picture."""

from __future__ import annotations

import json
import os
import re
import subprocess
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy" / "services" / "chromium.sh"
#: No window is narrower than 500 pixels: a telephone is a frame within one.
FRAME = """<!doctype html><meta charset="utf-8"><body style="margin:0">
<iframe style="border:0;width:{width}px;height:{height}px" srcdoc="{page}"></iframe>
<script>onload = () => {{
  const page = document.querySelector("iframe").contentDocument;
  document.body.dataset.told = JSON.stringify({{
    width: page.documentElement.scrollWidth,
    height: page.documentElement.scrollHeight,
    foreign: page.querySelectorAll("img, script, link, iframe, object, [onerror]").length,
  }});
}}</script>"""


def install() -> None:
    """Fetch the browser; where that fails the test is skipped, in CI it is an error."""
    done = subprocess.run([str(SCRIPT), "install"], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    reason = f"no browser can be had here: {(done.stderr.splitlines() or ['it said nothing'])[-1]}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def opened(page: Path, *options: str) -> str:
    """Open a page with these options; return what the browser printed."""
    words = [str(SCRIPT), "run", "--virtual-time-budget=2000", *options, page.as_uri()]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_frame(page: str, folder: Path, width: int, height: int) -> tuple[Path, dict[str, Any]]:
    """Show a page in a frame of this size; return the file that does, and what it measured."""
    path = folder / f"frame-{width}.html"
    frame = FRAME.format(width=width, height=height, page=escape(page, quote=True))
    path.write_text(frame, encoding="utf-8")
    (told,) = re.findall(r'data-told="([^"]*)"', opened(path, "--dump-dom"))
    return path, json.loads(unescape(told))
