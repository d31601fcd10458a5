"""What every instrument of both exchanges would take: requests, days, bytes, Spark hours, dollars.

python -m bench.scale                   the tables of docs/scale.md, by bench/scale.toml
python -m bench.scale --write           put them into docs/scale.md
python -m bench.scale --lake FOLDER     bytes a row of a lake that is there, to be put into the TOML
"""

from __future__ import annotations

import argparse
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
NUMBERS = ROOT / "bench" / "scale.toml"
DOCUMENT = ROOT / "docs" / "scale.md"
#: The day for which ids are carried on.
TODAY = date(2026, 11, 29)
DAY_SECONDS = 86_400
MONTH_DAYS = 30
Row = Sequence[str]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of one exchange: how much there is, and how it may be asked.

    Attributes:
        instruments: ever listed; `live` of them now.
        partitions: instrument-days since the first listing.
        rows: since listing; `rows_day` now.
        requests_day: at our share of the limit.
        days_back: how far back the exchange answers, 0 for ever.
    """

    name: str
    instruments: int
    live: int
    partitions: int
    rows: int
    rows_day: int
    requests_day: int
    days_back: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """All that is reckoned with, by name."""

    price: Mapping[str, Decimal]
    of: Mapping[str, Decimal]
    kinds: Sequence[Kind]


def numbers(path: Path = NUMBERS) -> Numbers:
    """Read the TOML."""
    told = tomllib.loads(path.read_text(encoding="utf-8"))
    price = {one["name"]: Decimal(one["value"]) for one in told["price"]}
    of = {one["name"]: Decimal(one["value"]) for one in (*told["measured"], *told["assumed"])}
    return Numbers(price, of, [_kind(one, of["limit_share"]) for one in told["kind"]])


def _kind(told: Mapping[str, Any], share: Decimal) -> Kind:
    if "leader" in told:
        (first, low), (last, high) = told["leader"]
        begin, end = date.fromisoformat(first), date.fromisoformat(last)
        a_day = Decimal(high - low) / (end - begin).days
        part = Decimal(told["leader_share"])
        rows = int((high + a_day * (TODAY - end).days) / part)
        rows_day = int(a_day / part)
    else:
        rows, rows_day = told["rows"], told["rows_day"]
    a_second = Decimal(told.get("requests_second", 0))
    if not a_second:
        a_second = Decimal(told["weight_minute"]) / told["weight"] / 60
    # half of the time since the first listing, where the TOML does not say how long one is listed
    listed = told.get("days_listed", told["days"] // 2)
    return Kind(
        told["name"],
        told["instruments"],
        told["live"],
        told["instruments"] * listed,
        rows,
        rows_day,
        int(a_second * share * DAY_SECONDS),
        told["days_back"],
    )


def history(told: Numbers) -> Iterator[Row]:
    """Yield what asking for everything since listing takes, a line a kind."""
    yield "kind", "instruments", "rows", "requests", "days by REST", "zips, GB", "hours by archive"
    for kind in told.kinds:
        requests = -(-kind.rows // int(told.of["rows_a_page"]))
        days = Decimal(requests) / kind.requests_day
        by_rest = f"{days:,.1f}" if not kind.days_back else f"the last {kind.days_back} days only"
        zipped = kind.rows * told.of["zip_bytes_row"] / 10**9
        hours = kind.rows / told.of["archive_rows_second"] / 3600
        has_archive = kind.name.startswith("Binance")
        archive = (f"{zipped:,.0f}", f"{hours:,.1f}") if has_archive else ("none", "none")
        yield (
            kind.name,
            f"{kind.instruments:,}",
            _short(kind.rows),
            f"{requests:,}",
            by_rest,
            *archive,
        )


def layers(told: Numbers) -> Iterator[Row]:
    """Yield the bytes of each layer since listing (GB), a line a kind."""
    yield "kind", "bronze", "silver", "gold", "a month at S3 Standard", "bronze cold"
    sums = [Decimal(0)] * 3
    for kind in told.kinds:
        sizes = _layers(told, kind)
        sums = [total + size for total, size in zip(sums, sizes, strict=True)]
        yield kind.name, *(f"{size:,.0f}" for size in sizes), *_stored(told, sizes)
    yield "**all**", *(f"{size:,.0f}" for size in sums), *_stored(told, sums)


def once(told: Numbers) -> Iterator[Row]:
    """Yield what it takes to load it once: Spark, files, dollars, a line a kind."""
    yield "kind", "Spark core hours", "days of 64 cores", "Spark", "silver files", "PUT", "sum"
    for kind in told.kinds:
        hours = _core_hours(told, kind.rows)
        spark = hours * told.price["spark_core_hour"]
        # a file of bronze is 50,000 rows, one of silver an instrument's day
        files = kind.rows // 50_000 + kind.partitions
        puts = Decimal(files) / 1000 * told.price["thousand_puts"]
        yield (
            kind.name,
            f"{hours:,.0f}",
            f"{hours / 64 / 24:,.1f}",
            _dollars(spark),
            f"{kind.partitions:,}",
            _dollars(puts),
            _dollars(spark + puts),
        )


def live(told: Numbers) -> Iterator[Row]:
    """Yield what a month of live collecting costs, a line a kind; the last line is the sum."""
    yield (
        "kind",
        "live",
        "rows a second",
        "collectors",
        "Spark core hours",
        "files a day",
        "a month",
    )
    total = Decimal(0)
    for kind in told.kinds:
        a_second = Decimal(kind.rows_day) / DAY_SECONDS
        # ten times the mean is a busy minute; two, so that one can be replaced
        collectors = max(2, int(a_second * 10 / told.of["collector_rows_second"]) + 1)
        hours = _core_hours(told, kind.rows_day * MONTH_DAYS)
        files = _files_a_day(told, kind) + collectors * int(
            DAY_SECONDS / told.of["collector_file_seconds"]
        )
        cost = (
            collectors * 24 * MONTH_DAYS * told.price["collector_hour"]
            + 24 * MONTH_DAYS * told.price["pipeline_hour"]
            + Decimal(files * MONTH_DAYS) / 1000 * told.price["thousand_puts"]
        )
        total += cost
        yield (
            kind.name,
            f"{kind.live:,}",
            f"{a_second:,.0f}",
            str(collectors),
            f"{hours:,.0f}",
            f"{files:,}",
            _dollars(cost),
        )
    yield "**all**", "", "", "", "", "", _dollars(total)


def limits(told: Numbers) -> Iterator[Row]:
    """Yield how near each kind is to what the design bears."""
    yield (
        "kind",
        "files of silver since listing",
        "of what a table bears",
        "log, GB",
        "a pass writes",
    )
    for kind in told.kinds:
        share = kind.partitions / told.of["most_files_of_a_table"]
        log = kind.partitions * told.of["log_bytes_file"] / 10**9
        touched = _touched(told, kind)
        written = touched * told.of["partition_bytes"] / 10**6
        yield (
            kind.name,
            f"{kind.partitions:,}",
            f"{share:.1f} times",
            f"{log:.1f}",
            f"{touched:,} files, {written:,.1f} MB",
        )


TABLES: Mapping[str, Callable[[Numbers], Iterator[Row]]] = {
    "history": history,
    "layers": layers,
    "once": once,
    "live": live,
    "limits": limits,
}


def table(rows: Iterator[Row]) -> str:
    """Return rows as a table of Markdown; the first is its head."""
    head, *others = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, "|" + "---|" * (head.count(" | ") + 1), *others])


def written(text: str, told: Numbers) -> str:
    """Return a document with its tables made anew, each between its two marks."""
    for name, rows in TABLES.items():
        begin, end = f"<!-- {name}: python -m bench.scale --write -->", f"<!-- end of {name} -->"
        place = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        found = place.findall(text)
        assert len(found) == 1, name
        text = text.replace(found[0], f"{begin}\n\n{table(rows(told))}\n\n{end}")
    return text


def of_lake(root: Path) -> Iterator[str]:
    """Yield the bytes a row of a lake in a folder."""
    from deltalake import DeltaTable  # noqa: PLC0415 - only where a lake is looked at

    def below(*names: str) -> int:
        files = (path for name in names for path in (root / name).rglob("*") if path.is_file())
        return sum(path.stat().st_size for path in files)

    for dataset in ("trades", "agg_trades"):
        if (root / "bronze" / dataset).exists():
            held = DeltaTable(root / "silver" / dataset)
            rows = held.to_pyarrow_dataset().count_rows()
            log = below(f"silver/{dataset}/_delta_log") // max(1, len(held.file_uris()))
            yield f"{dataset}: {rows:,} rows"
            yield f"  bronze_bytes_row {below(f'bronze/{dataset}') / max(1, rows):.1f}"
            yield f"  silver_bytes_row {below(f'silver/{dataset}') / max(1, rows):.1f}"
            yield f"  log bytes a file {log:,}, checksums with it"
    bars = DeltaTable(root / "gold" / "ohlcv").to_pyarrow_table(columns=["bar_interval"])
    minutes = sum(value == "1m" for value in bars["bar_interval"].to_pylist())
    gold = below("gold/ohlcv", "gold/ohlcv_revisions", "gold/source_bars")
    yield f"gold_bytes_minute {gold / max(1, minutes):.0f} of {minutes:,} minutes"


def _layers(told: Numbers, kind: Kind) -> list[Decimal]:
    # what hardly trades has fewer minutes with prints: not more than prints
    minutes = min(kind.partitions * 1440 * told.of["minutes_with_prints"], Decimal(kind.rows))
    return [
        kind.rows * told.of["bronze_bytes_row"] / 10**9,
        kind.rows * told.of["silver_bytes_row"] / 10**9,
        minutes * told.of["gold_bytes_minute"] / 10**9,
    ]


def _stored(told: Numbers, sizes: Sequence[Decimal]) -> Row:
    bronze, *others = sizes
    warm = sum(sizes) * told.price["storage_gb_month"]
    cold = bronze * told.price["cold_gb_month"] + sum(others) * told.price["storage_gb_month"]
    return _dollars(Decimal(warm)), _dollars(Decimal(cold))


def _core_hours(told: Numbers, rows: int) -> Decimal:
    return rows / told.of["spark_rows_second_core"] / 3600


def _files_a_day(told: Numbers, kind: Kind) -> int:
    passes = DAY_SECONDS / told.of["pass_seconds"]
    return int(_touched(told, kind) * passes)


def _touched(told: Numbers, kind: Kind) -> int:
    """Return how many instruments have a print in a pass: not more than there are prints."""
    prints = kind.rows_day * told.of["pass_seconds"] / DAY_SECONDS
    return int(min(kind.live * told.of["touched_share"], prints))


def _short(count: int) -> str:
    return f"{Decimal(count) / 10**9:,.1f} billion"


def _dollars(amount: Decimal) -> str:
    return f"${amount:,.0f}"


def main() -> None:
    """Print the tables, write them, or look at a lake."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--lake", type=Path)
    parser.add_argument("--numbers", type=Path, default=NUMBERS)
    chosen = parser.parse_args()
    if chosen.lake:
        print("\n".join(of_lake(chosen.lake)))
        return
    told = numbers(chosen.numbers)
    if chosen.write:
        DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8"), told), encoding="utf-8")
        return
    for name, rows in TABLES.items():
        print(f"{name}\n\n{table(rows(told))}\n")


if __name__ == "__main__":
    main()
