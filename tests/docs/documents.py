"""The documents as a reader meets them: the commands that they print, and what they show below."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
#: Stands for left-out text: alone on a line for any lines, within one for any text.
ELIDED = "…"
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

#: Commands that are printed and not run here, and why: what the reason says stands in the command.
NEEDS_THE_REAL_EXCHANGE = "--env local"
RUNS_THIS_VERY_TEST = "./run-tests.sh"
OF_KRAKEN = (
    "--start 2026-11-21T00:00:00Z --end 2026-11-21T06:00:00Z --set exchanges.kraken.ccxt=kraken"
    " --set universe.kraken.spot=BTC/USD"
)
NEEDS_A_BROKER = "kafka.servers"
NOT_RUN = {
    "candlelake extract live --exchange binance --kind spot --instruments BTCUSDT --streams trade"
    " --lifetime 10s --sink kafka --set kafka.servers=127.0.0.1:9092": NEEDS_A_BROKER,
    "./spark-submit.sh land-topic --set kafka.servers=127.0.0.1:9092": NEEDS_A_BROKER,
    "./run-tests.sh": RUNS_THIS_VERY_TEST,
    "./spark-submit.sh pipeline --env local --exchange binance --kind spot --instruments BTCUSDT"
    " --start 2024-08-09T00:00:00Z --end 2024-08-09T00:10:00Z": NEEDS_THE_REAL_EXCHANGE,
    f"candlelake extract --env local --exchange kraken --kind spot --datasets klines {OF_KRAKEN}": (
        NEEDS_THE_REAL_EXCHANGE
    ),
    f"./spark-submit.sh pipeline --env local --exchange kraken {OF_KRAKEN}": (
        NEEDS_THE_REAL_EXCHANGE
    ),
}


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a document, and what the document shows that it prints."""

    text: str
    shown: str


def commands(path: Path) -> list[Command]:
    """Return the commands of a document's `console` blocks, in the order of reading."""
    return [
        Command(command, shown)
        for language, block in _FENCE.findall(path.read_text(encoding="utf-8"))
        if language == "console"
        for command, shown in _parted(block)
    ]


def _parted(block: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def outside_of_consoles(path: Path) -> str:
    """Return a document without its `console` blocks."""
    text = path.read_text(encoding="utf-8")
    return _FENCE.sub(lambda match: "" if match[1] == "console" else match[0], text)


def shows(shown: str, printed: str) -> bool:
    """Tell whether the text shown is what was printed, but for what it elides."""
    lines = (
        r"(?:[^\n]*\n)*"
        if line == ELIDED
        else r"[^\n]*".join(map(re.escape, line.split(ELIDED))) + r"\n"
        for line in shown.splitlines()
    )
    ended = printed if printed.endswith("\n") or not printed else printed + "\n"
    return re.fullmatch("".join(lines), ended) is not None
