"""`candlelake extract bulk` as a schedule runs it: its words, its files, its exit codes."""

from __future__ import annotations

import csv
import gzip
import json
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pyarrow import parquet

from extract.landed_rows import Series
from jobs.bulk.command import KEYS, use_profile
from jobs.bulk.missing import Absent, require_nothing
from jobs.bulk.request import BulkRequest, Labels, Wanted, understood
from jobs.bulk.run import Result, run
from jobs.context import exchanges_of, open_lake
from jobs.extraction.run import prepare
from jobs.options import select
from lake.bronze import ALL_INSTRUMENTS, parse_name, read_lines
from lake.errors import CandlelakeError, SettingsError, UsageError
from lake.universes import load_universe
from tests.front_door.commands import ROOT, candlelake, landed, the_error

SPOT_TRADES = Wanted(
    vendor="ccxt",
    exchange_id="binance",
    kind=None,
    contract_type="spot",
    universe="v1",
    data_type="trades",
    data_format=None,
    start_timestamp="2025-09-01T00:00:00Z",
    end_timestamp="2025-09-01T00:01:00Z",
)
LABELS = Labels("periodic_daily", "scheduler", "downloaded_1min")
MINUTE_MS = (1_756_684_800_000, 1_756_684_860_000)
NAME = "1756684800000_1756684860000"
RECORDINGS = {
    "BTCUSDT": "BTCUSDT-aggTrades-2025-09-01-first-10k-us.csv.gz",
    "ETHUSDT": "ETHUSDT-aggTrades-2025-09-01-first-10k-us.csv.gz",
}


def words(lake: Path | None, wanted: Wanted, *more: str) -> list[str]:
    """Return the command line of a run, into a folder where one is given."""
    options = {
        "--contract-type": wanted.contract_type,
        "--data-type": wanted.data_type,
        "--start-timestamp": wanted.start_timestamp,
        "--end-timestamp": wanted.end_timestamp,
        "--s3-path": str(lake) if lake else None,
    }
    given = [word for name, value in options.items() if value for word in (name, value)]
    return ["extract", "bulk", *given, *more]


def done(
    lake: Path, wanted: Wanted = SPOT_TRADES, sets: Sequence[str] = (), **named: Any
) -> Result:
    """Run in this process."""
    opened = open_lake("replay", [f"lake.root={lake}", *sets])
    return run(opened, understood(replace(wanted, **named)), LABELS)


def recorded(instrument: str, window: tuple[int, int] = MINUTE_MS) -> list[list[str]]:
    """Return a window's aggregates as the recording has them, times cut to ms as REST does."""
    with gzip.open(ROOT / "recordings" / RECORDINGS[instrument], "rt") as file:
        cells = (line.strip().split(",") for line in file)
        numbered = (row for row in cells if row[0].isdigit())
        rows = [row for row in numbered if window[0] <= int(row[5]) // 1000 < window[1]]
    whose = ["binance", "spot", instrument]
    return [[*whose, *row[:5], row[5][:-3], *(flag.lower() for flag in row[6:8])] for row in rows]


def exported(lake: Path, instrument: str, suffix: str) -> Path:
    return lake / "exports" / "agg_trades" / "binance" / "spot" / instrument / f"{NAME}.{suffix}"


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"vendor": "kaiko"}, "--vendor is ccxt for now, was 'kaiko'"),
        ({"exchange_id": "deribit"}, "--exchange-id is binance for now, was 'deribit'"),
        ({"data_type": "quotes"}, "--data-type is one of ohlcv, trades, was 'quotes'"),
        ({"data_format": "xlsx"}, "--data-format is one of parquet, csv, was 'xlsx'"),
        ({"kind": "margin"}, "--kind is one of spot, usdm, coinm, was 'margin'"),
        ({"contract_type": "swap"}, "--contract-type is one of spot, futures, was 'swap'"),
        ({"contract_type": "futures"}, "futures needs --kind usdm or --kind coinm"),
        ({"kind": "usdm"}, "--contract-type spot and --kind usdm contradict each other"),
        ({"contract_type": "futures", "kind": "spot"}, "contradict each other"),
        ({"contract_type": None}, "nothing says which contracts are wanted"),
        ({"end_timestamp": "2025-08-31"}, "2025-08-31.* is before --start-timestamp 2025-09-01"),
        ({"end_timestamp": "2025-09-01"}, "2025-09-01.* is --start-timestamp 2025-09-01"),
        ({"start_timestamp": "yesterday"}, "--start-timestamp can't be read: 'yesterday'"),
        ({"end_timestamp": ""}, "can't be empty"),
        ({"universe": "v0"}, "no universe 'v0'. Known are v1"),
    ],
)
def test_words_that_make_no_sense_are_refused(named: dict[str, str | None], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        understood(replace(SPOT_TRADES, **named))  # type: ignore[arg-type]


def test_a_refusal_is_exit_2_in_one_line_and_leaves_no_lake(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    wanted = replace(SPOT_TRADES, end_timestamp="2025-08-31T00:00:00Z")

    assert "is before --start-timestamp" in the_error(candlelake(*words(lake, wanted)))
    futures = words(lake, replace(SPOT_TRADES, contract_type="futures"))
    assert "needs --kind usdm or --kind coinm" in the_error(candlelake(*futures))
    assert not lake.exists()


def test_every_option_is_taken_by_its_name(tmp_path: Path) -> None:
    window = ["--start-timestamp", "1756684800000", "--end-timestamp", "1756684805000"]
    what = ["--vendor", "ccxt", "--exchange-id", "binance", "--kind", "spot", "--universe", "v1"]
    sort = ["--data-type", "trades", "--contract-type", "spot", "--data-format", "parquet"]
    where = ["--aws-profile", "market-data", "--s3-path", str(tmp_path)]
    labels = ["--download-mode", "daily", "--downloading-entity", "me", "--action-tag", "first"]

    done = candlelake(
        "extract", "bulk", *window, *what, *sort, *where, *labels, "--assert-on-missing-data"
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(" exports=2 missing=0\n")
    (run_of_it,) = (tmp_path / "bulk" / "runs").iterdir()
    kept = json.loads(run_of_it.read_text())
    names = ("download_mode", "downloading_entity", "action_tag")
    assert [kept[name] for name in names] == ["daily", "me", "first"]


def asked(**named: str | None) -> BulkRequest:
    return understood(replace(SPOT_TRADES, **named))  # type: ignore[arg-type]


def test_the_vocabulary_means_what_candlelake_calls_otherwise(tmp_path: Path) -> None:
    settings = open_lake("replay", [f"lake.root={tmp_path}"]).settings
    coinm = asked(contract_type="futures", kind="coinm", data_type="ohlcv")

    assert (asked().kind, asked(contract_type=None, kind="spot").contract_type) == ("spot", "spot")
    assert asked().dataset(settings) == "agg_trades"
    assert (coinm.kind, coinm.dataset(settings)) == ("coinm", "klines")
    assert coinm.instruments == ("BTCUSD_PERP", "ETHUSD_PERP")
    millis = asked(start_timestamp="1756684800000", end_timestamp="1756684860000")
    assert millis.window == asked().window == MINUTE_MS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[binance\n", "can't be read"),
        ('[binance]\nspot = "BTCUSDT"\n', "'binance.spot': Input should be a valid tuple"),
    ],
)
def test_a_universe_that_is_none_is_told_with_its_place(
    text: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "universes").mkdir()
    (tmp_path / "universes" / "v9.toml").write_text(text)

    with pytest.raises(SettingsError, match=said):
        load_universe("v9", tmp_path)


def test_a_run_lands_bronze_and_writes_the_recordings_digits_beside_it(tmp_path: Path) -> None:
    first = candlelake(*words(tmp_path, SPOT_TRADES, "--data-format", "csv"))
    before = landed(tmp_path)
    second = done(tmp_path, data_format="parquet")

    assert first.returncode == 0, first.stderr
    assert first.stdout == "files=3 rows=2026 exports=2 missing=0\n"
    assert "jobs.extraction.run plan " in first.stderr
    assert (second.outcome.files, second.outcome.rows) == (0, 0)
    assert landed(tmp_path) == before
    for instrument in RECORDINGS:
        with exported(tmp_path, instrument, "csv").open(newline="") as file:
            header, *rows = csv.reader(file)
        assert header == ["exchange", "kind", "instrument", *"apqflTmM"]
        assert rows == recorded(instrument)
        table = parquet.read_table(exported(tmp_path, instrument, "parquet"))
        assert table.column_names == header
        assert [str(kind) for kind in table.schema.types[3:6]] == ["int64", "string", "string"]
        assert [[as_text(cell) for cell in row.values()] for row in table.to_pylist()] == rows


def as_text(cell: str | int | bool) -> str:  # noqa: FBT001 - a cell of any type
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


@pytest.mark.parametrize("data_format", ["csv", "parquet"])
def test_the_same_rows_give_the_same_bytes_however_they_landed(
    data_format: str, tmp_path: Path
) -> None:
    done(tmp_path / "one", data_format=data_format)
    done(tmp_path / "two", end_timestamp="2025-09-01T00:00:20Z")
    done(tmp_path / "two", end_timestamp="2025-09-01T00:02:00Z")
    done(tmp_path / "two", data_format=data_format)
    one = exported(tmp_path / "one", "BTCUSDT", data_format)
    before = one.stat().st_mtime_ns

    done(tmp_path / "one", data_format=data_format)

    assert one.stat().st_mtime_ns == before
    assert one.read_bytes() == exported(tmp_path / "two", "BTCUSDT", data_format).read_bytes()


def test_packed_answers_are_exported_like_files_of_their_own(tmp_path: Path) -> None:
    # the last five seconds of Ethereum's tape are a small answer, Bitcoin's fill a page
    window = (1_756_685_190_000, 1_756_685_195_000)
    words = ("2025-09-01T00:06:30Z", "2025-09-01T00:06:35Z")

    result = done(
        tmp_path,
        sets=["extract.pack_above=1"],
        data_format="csv",
        start_timestamp=words[0],
        end_timestamp=words[1],
    )

    files = [key for key in landed(tmp_path) if "/agg_trades/" in key and key.endswith(".gz")]
    assert sorted(parse_name(key).instrument for key in files) == ["BTCUSDT", ALL_INSTRUMENTS]
    assert not result.absent
    for instrument in RECORDINGS:
        (path,) = exported(tmp_path, instrument, "csv").parent.iterdir()
        with path.open(newline="") as file:
            assert list(csv.reader(file))[1:] == recorded(instrument, window)


#: Bitcoin's aggregates of the bundled day, which the replay serves both ways.
NEW_YEARS_NOON = replace(
    SPOT_TRADES,
    data_format="csv",
    start_timestamp="2024-01-01T12:00:00Z",
    end_timestamp="2024-01-01T12:05:00Z",
)


@pytest.mark.slow
@pytest.mark.parametrize("source", ["archive", "auto"])
def test_what_the_archive_has_landed_is_exported_and_not_asked_for_again(
    source: str, tmp_path: Path
) -> None:
    by_rest, lake = tmp_path / "rest", tmp_path / "lake"
    key = done(by_rest, NEW_YEARS_NOON).outcome.exports[0]
    opened = open_lake("replay", [f"lake.root={lake}"])
    one_day = {"start": "2024-01-01", "end": "2024-01-02", "datasets": "agg_trades"}
    bitcoin = {"exchange": "binance", "kind": "spot", "instruments": "BTCUSDT"}
    selection = select(opened.settings, **bitcoin, **one_day, source=source)
    with exchanges_of(opened.settings) as settings:
        prepare(opened, settings, selection).run()
    files = landed(lake)

    result = done(lake, NEW_YEARS_NOON)

    assert any("~archive~" in name for name in files)
    assert [name for name in landed(lake) if "agg_trades" in name] == [
        name for name in files if "agg_trades" in name
    ]
    assert {part.series.instrument for part in result.absent} == {"ETHUSDT"}
    assert (lake / key).read_bytes() == (by_rest / key).read_bytes()
    assert (lake / key).read_text().count("\n") > 1000


def test_labels_are_read_back_and_join_bronze_by_the_run(tmp_path: Path) -> None:
    done(tmp_path, data_format="csv")

    (record,) = [json.loads(path.read_text()) for path in (tmp_path / "bulk/runs").iterdir()]

    envelopes = [
        one for key in landed(tmp_path) for one in read_lines((tmp_path / key).read_bytes())
    ]
    assert {one["run_id"] for one in envelopes} == {record["run_id"]}
    assert record["download_mode"] == "periodic_daily"
    assert record["downloading_entity"] == "scheduler"
    assert record["action_tag"] == "downloaded_1min"
    assert (record["vendor"], record["universe"]) == ("ccxt", "v1")
    assert (record["data_type"], record["contract_type"]) == ("trades", "spot")
    assert record["start_timestamp"] == "2025-09-01T00:00:00.000000Z"
    assert record["instruments"] == ["BTCUSDT", "ETHUSDT"]
    assert record["outcome"]["files"] == 3
    runs = f"read_json('{tmp_path}/bulk/runs/*.json')"
    found = duckdb.sql(f"select run_id from {runs} where action_tag = 'downloaded_1min'").fetchall()  # noqa: S608 - our own folder
    assert found == [(record["run_id"],)]
    assert record["outcome"]["exports"] == [
        exported(tmp_path, name, "csv").relative_to(tmp_path).as_posix() for name in RECORDINGS
    ]


NEW_YEAR = replace(
    SPOT_TRADES,
    data_type="ohlcv",
    start_timestamp="2024-01-01T22:00:00Z",
    end_timestamp="2024-01-02T02:00:00Z",
)
NEW_YEARS_ABSENT = [
    "binance spot BTCUSDT klines 1h from 2024-01-02T00:00:00Z until 2024-01-02T02:00:00Z",
    "binance spot ETHUSDT klines 1h from 2024-01-01T22:00:00Z until 2024-01-02T02:00:00Z",
]


def test_what_is_missing_fails_an_assertion_with_its_list(tmp_path: Path) -> None:
    failed = candlelake(*words(tmp_path, NEW_YEAR, "--assert-on-missing-data"))
    passed = candlelake(*words(tmp_path, SPOT_TRADES, "--assert-on-missing-data"))

    assert (failed.returncode, failed.stdout) == (1, "")
    told = failed.stderr.partition("candlelake: 2 parts of the window missing")[2].splitlines()
    assert [line.strip().removesuffix(".") for line in told[1:]] == NEW_YEARS_ABSENT
    assert any("klines" in key for key in landed(tmp_path))
    assert passed.returncode == 0, passed.stderr


def test_without_the_assertion_what_is_missing_is_logged_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="jobs"):
        result = done(tmp_path, NEW_YEAR)

    assert [str(part) for part in result.absent] == NEW_YEARS_ABSENT
    assert {f"missing: {line}" for line in NEW_YEARS_ABSENT} <= set(caplog.messages)
    assert result.outcome.missing_parts == 2
    result.require_anything()


@pytest.mark.parametrize(
    ("named", "parts"),
    [
        # the recordings end at 00:09:40.238 and 00:06:34.504
        (
            {"start_timestamp": "2025-09-01T00:06", "end_timestamp": "2025-09-01T00:09:50"},
            {
                "BTCUSDT from 2025-09-01T00:09:41Z until 2025-09-01T00:09:50Z",
                "ETHUSDT from 2025-09-01T00:06:35Z until 2025-09-01T00:09:50Z",
            },
        ),
        # the exchange itself stood still that day: its bars break off and begin anew
        (
            {
                "data_type": "ohlcv",
                "start_timestamp": "2018-02-08T00:00",
                "end_timestamp": "2018-02-09T12:00",
            },
            {
                "BTCUSDT from 2018-02-08T01:00:00Z until 2018-02-09T02:00:00Z",
                "ETHUSDT from 2018-02-08T00:00:00Z until 2018-02-09T12:00:00Z",
            },
        ),
        # 00:15 is the clock of the generated exchange: what is to come is not missing
        (
            {
                "contract_type": "futures",
                "kind": "coinm",
                "data_type": "ohlcv",
                "start_timestamp": "2024-08-09T00:00",
                "end_timestamp": "2024-08-09T02:00",
            },
            set(),
        ),
    ],
)
def test_missing_is_what_is_neither_held_nor_still_to_come(
    named: dict[str, Any], parts: set[str], tmp_path: Path
) -> None:
    result = done(tmp_path, **named)

    told = {str(part).removeprefix("binance spot ") for part in result.absent}
    assert {f"{line[:7]} {line[line.index('from') :]}" for line in told} == parts


def test_where_nothing_of_the_universe_can_be_had_the_run_says_why(tmp_path: Path) -> None:
    result = done(tmp_path, start_timestamp="2020-01-01", end_timestamp="2020-01-02")

    assert len(result.absent) == 2
    with pytest.raises(UsageError, match="the replay holds no agg_trades of binance spot BTCUSDT"):
        result.require_anything()


def test_a_long_list_is_cut_and_counted() -> None:
    series = Series("agg_trades", "binance", "spot", "BTCUSDT")
    absent = [Absent(series, 2000 * n, 2000 * n + 1000) for n in range(23)]

    with pytest.raises(CandlelakeError, match="23 parts of the window missing") as raised:
        require_nothing(absent)

    lines = str(raised.value).splitlines()
    assert len(lines) == 22
    assert lines[1].endswith("from 1970-01-01T00:00:00Z until 1970-01-01T00:00:01Z")
    assert lines[-1].strip() == "and 3 more."


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(UsageError, match=r"needs pyarrow\. Install candlelake\[spark\]"):
        done(tmp_path, data_format="parquet")


def test_a_profile_that_is_not_there_is_told_and_not_passed_over() -> None:
    wanted = replace(SPOT_TRADES, data_format="csv")
    options = ["--set", "lake.root=s3://bucket/lake", "--aws-profile", "nobody-has-this-one"]

    refused = candlelake(*words(None, wanted, *options))

    assert refused.returncode == 1
    assert "profile (nobody-has-this-one) could not be found" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_profile_goes_before_the_keys_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "another")
    for variable in KEYS:
        monkeypatch.setenv(variable, "of another account")

    use_profile(None)
    assert os.environ["AWS_PROFILE"] == "another"

    use_profile("market-data")
    assert os.environ["AWS_PROFILE"] == "market-data"
    assert set(KEYS) & set(os.environ) == set()
