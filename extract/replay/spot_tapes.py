"""Opens the spot recordings, each when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cached_property
from pathlib import Path

from extract.replay import recordings
from extract.replay.agg_tape import AggPart, AggTape
from extract.replay.bar_tape import BarTape
from extract.replay.binance_spot_symbols import SYMBOLS
from extract.replay.trade_tape import Print, TradeTape, print_of, recorded_trades


class SpotTapes:
    """The spot recordings of one directory, each opened when it is first asked for."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._agg_parts: dict[str, AggPart] = {}
        self._bars: dict[str, BarTape] = {}

    def agg_trades(self, symbol: str) -> AggTape:
        """Return the aggregate trades held of a symbol."""
        held = [r for r in recordings.CATALOGUE if (r.dataset, r.symbol) == ("aggTrades", symbol)]
        return AggTape([self._loader(recording) for recording in held])

    def agg_rows(self, symbol: str, after_ms: int, until_ms: int) -> list[tuple[list[bytes], int]]:
        """Return the archive's cells of the aggregates of (after, until], each with its ms."""
        # a day of aggregates takes a second to open, so only what the window touches is opened
        found = []
        for recording in self.of_trades(symbol):
            if recording.dataset == "aggTrades" and recording.touches(after_ms, until_ms):
                found += self._open_agg_part(recording).between(after_ms, until_ms)
        return found

    def prints(self, symbol: str, after_ms: int, until_ms: int) -> Iterator[Print]:
        """Yield what is held of (after, until], single trades and aggregates alike."""
        for cells, time_ms in self.agg_rows(symbol, after_ms, until_ms):
            _, price, quantity, first, last, _, maker, _ = cells
            sides = (Decimal(price.decode()), Decimal(quantity.decode()))
            yield Print(int(first), int(last), *sides, time_ms, maker == b"True")
        for row in self.trades(symbol).between(after_ms, until_ms):
            yield print_of(row)

    def of_trades(self, symbol: str) -> Iterator[recordings.Recording]:
        """Yield the recordings of a symbol's trades, single or aggregate."""
        for recording in recordings.CATALOGUE:
            if recording.symbol == symbol and recording.dataset != "klines":
                yield recording

    def trades(self, symbol: str) -> TradeTape:
        """Return the single trades held of a symbol."""
        return self._trades[symbol]

    def bars(self, symbol: str, interval: str) -> BarTape | None:
        """Return the recorded bars; None where the interval was not recorded."""
        for recording in recordings.CATALOGUE:
            if (recording.symbol, recording.interval) == (symbol, interval):
                return self._open_bars(recording)
        return None

    def _loader(self, recording: recordings.Recording) -> Callable[[], AggPart]:
        return lambda: self._open_agg_part(recording)

    def _open_agg_part(self, recording: recordings.Recording) -> AggPart:
        if recording.file not in self._agg_parts:
            micros_per_unit = 1000 if recording is recordings.DAY_ARCHIVE else 1
            raw = recordings.read_bytes(self._directory, recording)
            self._agg_parts[recording.file] = AggPart(raw, micros_per_unit)
        return self._agg_parts[recording.file]

    def _open_bars(self, recording: recordings.Recording) -> BarTape:
        if recording.file not in self._bars:
            false_times = frozenset[str]()
            if recording is recordings.HOURLY_BARS:
                false_times = recordings.false_open_times(self._directory)
            bars = recordings.read_bars(self._directory, recording)
            true_bars = (bar for bar in bars if bar.open_time not in false_times)
            self._bars[recording.file] = BarTape(true_bars)
        return self._bars[recording.file]

    @cached_property
    def _trades(self) -> Mapping[str, TradeTape]:
        text = recordings.read_bytes(self._directory, recordings.BTC_TRADES).decode()
        return {symbol: TradeTape(list(recorded_trades(text, symbol))) for symbol in SYMBOLS}
