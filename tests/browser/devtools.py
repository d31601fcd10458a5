"""A real browser that a test drives: keys, clicks, sizes, pictures, and the page's complaints.

It speaks the browser's own DevTools protocol over its websocket.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.browser.browser import SCRIPT

PATIENCE = 20.0
#: Keys that write nothing, with the number that the browser knows them by.
NUMBERS = {
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "Enter": 13,
    "Escape": 27,
    "Tab": 9,
    "Home": 36,
    "End": 35,
    "PageUp": 33,
    "PageDown": 34,
    " ": 32,
}
WRITES = {"Enter": "\r", " ": " "}
SHIFT = 8


class Tab:
    """One tab: its errors and requests are gathered from its first moment on."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.number = 0
        self.complaints: list[str] = []
        self.requests: list[str] = []
        target = self.call("Target.createTarget", url="about:blank", newWindow=True)["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.target, self.session = target, attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.size(1280, 800)

    session: str | None = None

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command; return its result. Events that come meanwhile are kept."""
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        self.socket.send(json.dumps(message))
        while True:
            said = json.loads(self.socket.recv(timeout=PATIENCE))
            if said.get("id") == self.number:
                assert "error" not in said, f"{method}: {said['error']}"
                result: dict[str, Any] = said["result"]
                return result
            self.hear(said)

    def hear(self, said: dict[str, Any]) -> None:
        if said.get("sessionId") != self.session:
            return
        method, told = said.get("method"), said.get("params", {})
        if method == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", str(details)))
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning"):
            self.complaints.append(str([one.get("value") for one in told["args"]]))
        elif method == "Log.entryAdded" and told["entry"]["source"] != "network":
            self.complaints.append(told["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])

    def go(self, url: str) -> None:
        self.call("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        told = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def wait(self, expression: str, seconds: float = PATIENCE) -> Any:
        """Wait until an expression is true, through any loading; return its value."""
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(AssertionError):
                if value := self.evaluate(expression):
                    return value
            assert time.monotonic() < end, f"never true: {expression}; {self.complaints}"
            time.sleep(0.02)

    def text(self, selector: str) -> str:
        told = self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")
        return str(told)

    def press(self, key: str, times: int = 1, modifiers: int = 0) -> None:
        """Press a key as a person does, where the focus is."""
        named: dict[str, Any] = {"key": key, "modifiers": modifiers}
        if key in NUMBERS:
            named["windowsVirtualKeyCode"] = NUMBERS[key]
        written = WRITES.get(key, "" if key in NUMBERS else key)
        for _ in range(times):
            kind = "keyDown" if written else "rawKeyDown"
            self.call("Input.dispatchKeyEvent", type=kind, text=written, **named)
            self.call("Input.dispatchKeyEvent", type="keyUp", **named)

    def type(self, text: str) -> None:
        for letter in text:
            self.press(letter)

    def move(self, x: float, y: float, **more: Any) -> None:
        self.call("Input.dispatchMouseEvent", **{"type": "mouseMoved", "x": x, "y": y, **more})

    def click(self, selector: str) -> None:
        """Click in the middle of an element with the mouse."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.evaluate(f"{found}.scrollIntoView({{block: 'center'}})")
        box = self.evaluate(f"{found}.getBoundingClientRect().toJSON()")
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for kind in ("mousePressed", "mouseReleased"):
            self.move(x, y, type=kind, button="left", clickCount=1)

    def size(self, width: int, height: int, *, dark: bool = False) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, path: Path, *, whole: bool = False) -> Path:
        told = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(told["data"]))
        return path

    def close(self) -> None:
        self.session = None
        self.call("Target.closeTarget", targetId=self.target)


@contextlib.contextmanager
def browser() -> Iterator[ClientConnection]:
    """Start a browser; yield the socket that tabs are opened on."""
    words = [str(SCRIPT), "run", "--remote-debugging-port=0", "about:blank"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        address = next(
            found[1]
            for line in process.stderr
            if (found := re.search(r"listening on (ws:\S+)", line))
        )
        with connect(address, max_size=None) as socket:
            yield socket
            socket.send(json.dumps({"id": 0, "method": "Browser.close"}))
        process.stderr.read()
    assert process.returncode == 0


@contextlib.contextmanager
def tab(socket: ClientConnection) -> Iterator[Tab]:
    opened = Tab(socket)
    yield opened
    opened.close()
