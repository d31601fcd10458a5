"""One frame of `candlelake watch`: streams above, candles below; 80 columns are enough."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from jobs.status.pipeline_state import Listing
from jobs.status.printing import lag_of, span
from jobs.status.report import Report, StreamLine
from jobs.watch.candles import Candle
from lake.clock import from_millis

OF_STREAMS = ("stream", "region", "age", "msg/s", "lag", "open", "lost")
OF_CANDLES = ("instrument", "minute", "open", "high", "low", "last", "volume", "")
#: What does not fit is cut; numbers never are.
MAY_BE_CUT = {"stream", "region", "instrument"}
SHOWN_FINDINGS = 5
DATASETS: Mapping[str, str] = {"trades": "", "agg_trades": " agg", "klines": " bars"}


def frame(
    found: Report, streams: Sequence[StreamLine], market: Mapping[Listing, Sequence[Candle]]
) -> RenderableType:
    """Return one frame.

    Args:
        found: the report, for its moment and findings.
        streams: the lines that are wanted of it.
        market: the candles of each instrument, the newest first.
    """
    parts: list[RenderableType] = [
        Text(f"candlelake  {found.now:%Y-%m-%d %H:%M:%S} UTC", style="bold"),
        "",
        _streams(streams),
        "",
        _candles(market) if market else Text("no trades in bronze yet", style="dim"),
        "",
    ]
    findings = [Text(f"stale: {words}", style="red") for words in found.findings]
    parts += findings[:SHOWN_FINDINGS] or [Text("all is fresh", style="green")]
    if len(findings) > SHOWN_FINDINGS:
        parts.append(Text(f"and {len(findings) - SHOWN_FINDINGS} more: candlelake status"))
    return Group(*parts)


def _grid(headers: Sequence[str]) -> Grid:
    grid = Grid(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for header in headers:
        cut = header in MAY_BE_CUT
        grid.add_column(
            header,
            justify="left" if cut else "right",
            no_wrap=True,
            overflow="ellipsis" if cut else "fold",
            min_width=None if cut else len(header),
        )
    return grid


def _streams(lines: Sequence[StreamLine]) -> Grid:
    grid = _grid(OF_STREAMS)
    for line in lines:
        one, rate = line.state, line.rate(line.state.interval_messages)
        dataset = DATASETS.get(one.dataset, f" {one.dataset}")
        grid.add_row(
            Text(f"{one.exchange} {one.kind} {one.instrument}{dataset}"),
            Text(line.collector.region),
            Text(span(line.age) if line.life == "running" else line.life),
            Text("-" if rate is None else f"{rate:,.1f}"),
            Text(span(lag_of(line))),
            Text(f"{one.holes_open:,}"),
            Text(f"{one.holes_lost:,}"),
            style=_style_of(line),
        )
    return grid


def _style_of(line: StreamLine) -> str:
    if line.stale or line.life in ("gone", "failed"):
        return "red"
    return "dim" if line.life == "ended" else ""


def _candles(market: Mapping[Listing, Sequence[Candle]]) -> Grid:
    grid = _grid(OF_CANDLES)
    for (exchange, kind, instrument), candles in market.items():
        # names of one instrument on two markets are told apart by the line below
        names = (instrument, f"{exchange} {kind}")
        places = _places(price for one in candles for price in (one.high, one.low, one.close))
        for n, one in enumerate(candles):
            moment: datetime = from_millis(one.start_ms)
            prices = (one.open, one.high, one.low, one.close)
            grid.add_row(
                Text(names[n] if n < len(names) else "", style="bold" if n == 0 else "dim"),
                Text(f"{moment:%H:%M}"),
                *(Text(_plain(price, places)) for price in prices),
                Text(_plain(one.volume)),
                Text(_state_of(one)),
                style="" if one.is_closed else "bold",
            )
    return grid


def _state_of(candle: Candle) -> str:
    """Return `…` of what is forming, `?` where a print may be missing."""
    return f"{'' if candle.is_closed else '…'}{'' if candle.is_whole else '?'}"


def _plain(number: Decimal | None, places: int = 0) -> str:
    """Return a decimal with all its digits, and zeros at its end up to so many places."""
    if number is None:
        return "-"
    whole, _, digits = format(number, "f").partition(".")
    digits = digits.rstrip("0").ljust(places, "0")
    return f"{whole}.{digits}" if digits else whole


def _places(prices: Iterable[Decimal | None]) -> int:
    """Return how many places the prices of an instrument have."""
    return max((len(_plain(price).partition(".")[2]) for price in prices), default=0)
