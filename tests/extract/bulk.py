"""A bulk archive made in a test: zips, checksums, and a small exchange that has both ways in."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from tests.extract.small_server import Scripted

MISSING = Scripted(b"<Error><Code>NoSuchKey</Code></Error>", status=404)
AGGREGATES = "/data/spot/{}/aggTrades/BTCUSDT/BTCUSDT-aggTrades-{}.zip"
BARS = "/data/spot/{}/klines/BTCUSDT/{}/BTCUSDT-{}-{}.zip"


def zipped(text: str, name: str = "day.csv") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def serving(content: bytes, sha256: str | None = None) -> Callable[[str], Scripted]:
    """Serve `content` as every zip, with its checksum or a wrong one."""

    def route(path: str) -> Scripted:
        name = path.rpartition("/")[2].removesuffix(".CHECKSUM")
        digest = sha256 or hashlib.sha256(content).hexdigest()
        checksum = f"{digest}  {name}\n".encode()
        return Scripted(checksum if path.endswith(".CHECKSUM") else content)

    return route


def publishing(files: Mapping[str, bytes]) -> Callable[[str], Scripted]:
    """Serve these files by their paths, each with its checksum and an ETag; nothing else is there.

    The mapping may change while it is served.
    """

    def route(path: str) -> Scripted:
        zip_path = path.removesuffix(".CHECKSUM")
        if zip_path not in files:
            return MISSING
        content = files[zip_path]
        headers = {"ETag": f'"{len(content)}"', "Last-Modified": "Tue, 02 Jan 2024 01:07:00 GMT"}
        if path == zip_path:
            return Scripted(content, headers=headers)
        digest = hashlib.sha256(content).hexdigest()
        return Scripted(f"{digest}  {zip_path.rpartition('/')[2]}\n".encode())

    return route


def agg_line(number: int, time: int) -> str:
    return f"{number},42000.01,0.5,{number},{number},{time},True,True\n"


def agg_lines(first: int, times: Iterable[int]) -> str:
    return "".join(agg_line(first + place, time) for place, time in enumerate(times))


@dataclass
class BothWays:
    """An exchange with aggregate trades and bars over REST, and an archive beside it.

    Attributes:
        now_ms: its clock.
        times: of its aggregates, by id from 0 on.
        files: its archive.
        bar_ms: the length of its bars, which it has for ever.
    """

    now_ms: int
    times: list[int] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    bar_ms: int = 3_600_000

    def __call__(self, path: str) -> Scripted:
        asked = urlsplit(path)
        params = dict(parse_qsl(asked.query))
        if asked.path.endswith("/time"):
            return Scripted(json.dumps({"serverTime": self.now_ms}).encode())
        if asked.path.endswith("/aggTrades"):
            return Scripted(json.dumps(self._aggregates(params)).encode())
        if asked.path.endswith("/klines"):
            return Scripted(json.dumps(self._bars(params)).encode())
        return publishing(self.files)(path)

    def publish(self, often: str, period: str, first_id: int, last_id: int) -> None:
        """Put the aggregates of these ids (inclusive) into the archive."""
        lines = (agg_line(number, self.times[number]) for number in range(first_id, last_id + 1))
        self.files[AGGREGATES.format(often, period)] = zipped("".join(lines))

    def _aggregates(self, params: Mapping[str, str]) -> list[dict[str, object]]:
        made = [number for number, time in enumerate(self.times) if time <= self.now_ms]
        limit = int(params["limit"])
        if "fromId" in params:
            found = [number for number in made if number >= int(params["fromId"])]
        elif "startTime" in params:
            found = [n for n in made if self.times[n] >= int(params["startTime"])]
        else:
            found = made[-limit:]
        return [self._aggregate(number) for number in found[:limit]]

    def _aggregate(self, number: int) -> dict[str, object]:
        return {"a": number, "p": "1", "q": "1", "f": number, "l": number, "T": self.times[number]}

    def _bars(self, params: Mapping[str, str]) -> list[list[object]]:
        first, last = int(params["startTime"]), min(int(params["endTime"]), self.now_ms)
        opens = range(first + -first % self.bar_ms, last + 1, self.bar_ms)
        end = self.bar_ms - 1
        return [
            [time, "1", "1", "1", "1", "1", time + end, "1", 1, "1", "1", "0"] for time in opens
        ]
