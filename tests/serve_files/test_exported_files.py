"""Files hold what the tables hold: in order, exactly, whole or not at all."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as pd
import pyarrow.feather as pf
import pyarrow.parquet as pq
import pytest

from jobs.exporting import Export, Style
from lake.errors import ServeError, UsageError
from lake.objects import ObjectStore
from serve.files import reading
from serve.files.asked import Asked, Dataset, Series
from serve.files.exporting import Written
from serve.files.exporting import export as write
from serve.files.listing import listings
from serve.files.placing import layout_of
from serve.files.reading import rows_of
from serve.files.writing import Format
from tests.serve_files.small_lake import LOADED, MINUTE, START, small_lake

BTC = Series("binance", "spot", "BTCUSDT")
ODD = Series("binance", "future", "ETH/BTC~.")
BARS = Asked(Dataset.BARS, "1m")
TRADES = Asked(Dataset.TRADES)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ObjectStore:
    return small_lake(tmp_path_factory.mktemp("small") / "lake")


def exported(
    store: ObjectStore,
    out: Path,
    *,
    asked: Asked = BARS,
    series: Series = BTC,
    style: Style = Style.CANDLELAKE,
    form: Format = Format.PARQUET,
    layout: str = "",
) -> Written:
    rows = rows_of(store, asked)
    known = dict(listings(store))
    run = Export(rows, rows.parts, known, style, form, layout_of(layout), out)
    return write(run.form(series), run.parts(series), out, lambda _: None)


def file_of(written: Written) -> Path:
    assert written.path is not None
    return written.path


def test_series_are_what_a_table_has_rows_of(store: ObjectStore) -> None:
    assert rows_of(store, BARS).series() == [ODD, BTC]
    assert rows_of(store, Asked(Dataset.BARS, "5m")).series() == [BTC]
    assert rows_of(store, TRADES).series() == [BTC]


def test_bars_are_in_order_over_the_end_of_a_month(store: ObjectStore, tmp_path: Path) -> None:
    done = exported(store, tmp_path)

    table = pq.read_table(file_of(done))
    starts = [START + minute * MINUTE for minute in range(5)]
    assert table["bar_start"].to_pylist() == starts
    assert table["close"].to_pylist() == [
        *(Decimal("42283.50"), Decimal("42283.51"), None, Decimal("42283.53")),
        Decimal("0.0000000001"),
    ]
    assert table.schema.field("close").type == pa.decimal128(20, 10)
    assert table.schema.names[:6] == ["bar_start", "open", "high", "low", "close", "volume"]
    assert (done.rows, done.incomplete, done.left_out) == (5, 1, 0)
    assert file_of(done).name == "binance-spot-BTCUSDT-1m-20240131T235800Z-20240201T000300Z.parquet"


def test_csv_has_every_digit_and_no_exponent(store: ObjectStore, tmp_path: Path) -> None:
    path = file_of(exported(store, tmp_path, form=Format.CSV))

    with path.open(encoding="utf-8", newline="") as file:
        first, _, unpriced, _, smallest = csv.DictReader(file)
    assert (first["close"], first["volume"]) == ("42283.5", "1.5")
    assert first["bar_start"] == "2024-01-31T23:58:00.000000Z"
    assert unpriced["close"] == ""
    assert (smallest["close"], smallest["is_complete"]) == ("0.0000000001", "false")
    assert (smallest["taker_buy_volume"], smallest["trade_count"]) == ("0", "7")


def test_json_has_decimals_as_text_and_feather_as_decimals(
    store: ObjectStore, tmp_path: Path
) -> None:
    records = json.loads(file_of(exported(store, tmp_path, form=Format.JSON)).read_text())
    table = pf.read_table(file_of(exported(store, tmp_path, form=Format.FEATHER)))

    assert [one["close"] for one in records] == [
        *("42283.5", "42283.51", None, "42283.53", "0.0000000001")
    ]
    assert (records[0]["is_complete"], records[0]["trade_count"]) == (True, 7)
    assert records[0]["instrument"] == "BTCUSDT"
    assert table["close"].to_pylist()[0] == Decimal("42283.5")


@pytest.mark.parametrize("form", list(Format))
def test_the_same_rows_give_the_same_bytes(
    store: ObjectStore, tmp_path: Path, form: Format
) -> None:
    once = file_of(exported(store, tmp_path / "once", form=form)).read_bytes()

    assert file_of(exported(store, tmp_path / "twice", form=form)).read_bytes() == once


def test_the_range_is_met_to_the_minute(store: ObjectStore, tmp_path: Path) -> None:
    asked = Asked(Dataset.BARS, "1m", start=START + MINUTE, end=START + 3 * MINUTE)

    done = exported(store, tmp_path, asked=asked)

    starts = pq.read_table(file_of(done))["bar_start"].to_pylist()
    assert starts == [START + MINUTE, START + 2 * MINUTE]
    assert file_of(done).name == "binance-spot-BTCUSDT-1m-20240131T235900Z-20240201T000100Z.parquet"


def test_as_of_takes_of_each_bar_the_newest_revision_known(
    store: ObjectStore, tmp_path: Path
) -> None:
    def closes(moment: datetime) -> list[Decimal]:
        asked = Asked(Dataset.BARS, "1m", as_of=moment)
        path = file_of(exported(store, tmp_path, asked=asked))
        return list(pq.read_table(path)["close"].to_pylist())

    # the second minute was known at its end, however early its last trade was
    assert closes(START + MINUTE) == [Decimal(1)]
    assert closes(START + 2 * MINUTE) == [Decimal(1), Decimal(2)]
    assert closes(LOADED - timedelta(microseconds=1)) == [Decimal(1), Decimal(2)]
    assert closes(LOADED) == [Decimal("42283.5"), Decimal(2)]


def test_a_name_stays_in_its_folder_and_comes_back_from_it(
    store: ObjectStore, tmp_path: Path
) -> None:
    done = exported(store, tmp_path, series=ODD, layout="kind=…/instrument=…")
    exported(store, tmp_path, layout="kind=…/instrument=…")

    folder = file_of(done).parent.relative_to(tmp_path).as_posix()
    assert folder == "kind=future/instrument=ETH%2FBTC%7E."
    assert "instrument" not in pq.read_schema(file_of(done)).names
    table = pd.dataset(tmp_path, partitioning="hive").to_table()
    assert set(table["instrument"].to_pylist()) == {"ETH/BTC~.", "BTCUSDT"}


def test_trades_are_by_time_and_then_by_number(store: ObjectStore, tmp_path: Path) -> None:
    done = exported(store, tmp_path, asked=TRADES)

    table = pq.read_table(file_of(done))
    assert table["trade_seq"].to_pylist() == [1, 2, 3, 4, 5]
    assert table["trade_timestamp"].to_pylist()[0] == START + timedelta(microseconds=5)
    assert file_of(done).name == (
        "binance-spot-BTCUSDT-trades-20240131T000000Z-20240202T000000Z.parquet"
    )


def test_trades_come_in_parts_of_bounded_size(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PART_ROWS", 2)

    parts = [part["trade_seq"].to_pylist() for part in rows_of(store, TRADES).parts(BTC)]

    # a minute is not parted, a day ends a part
    assert parts == [[1, 2], [3, 4], [5]]


def test_freqtrade_gets_nearest_doubles_in_its_own_order(
    store: ObjectStore, tmp_path: Path
) -> None:
    done = exported(store, tmp_path, style=Style.FREQTRADE, form=Format.FEATHER)

    table = pf.read_table(file_of(done))
    assert file_of(done).relative_to(tmp_path).as_posix() == "binance/BTC_USDT-1m.feather"
    assert table.schema.names == ["date", "open", "high", "low", "close", "volume"]
    assert table["close"].to_pylist() == [42283.50, 42283.51, 42283.53, 1e-10]
    assert table.schema.field("date").type == pa.timestamp("ms", "UTC")
    # the bar without a price can't be held
    assert (done.rows, done.left_out) == (4, 1)


def test_freqtrades_futures_have_names_of_their_own(store: ObjectStore, tmp_path: Path) -> None:
    done = exported(store, tmp_path, series=ODD, style=Style.FREQTRADE, form=Format.JSON)

    assert file_of(done).relative_to(tmp_path).as_posix() == (
        "binance/futures/ETH_BTC_BTC-1m-futures.json"
    )
    assert json.loads(file_of(done).read_text())[0] == [1706745480000, *[0.07] * 4, 1.5]
    assert ",0.07,0.07,0.07,0.07,1.5]" in file_of(done).read_text()


def test_nautilus_gets_market_prints_in_fixed_point(store: ObjectStore, tmp_path: Path) -> None:
    done = exported(store, tmp_path, asked=TRADES, style=Style.NAUTILUS)

    table = pq.read_table(file_of(done))
    assert file_of(done).relative_to(tmp_path).as_posix() == (
        "data/trade_tick/BTCUSDT.BINANCE/"
        "2024-01-31T23-58-00-000005000Z_2024-02-01T00-00-00-000000000Z.parquet"
    )
    assert table["trade_id"].to_pylist() == ["1", "2", "3", "5"]
    assert table["aggressor_side"].to_pylist() == [2, 2, 1, 2]
    assert int.from_bytes(table["price"][0].as_py(), "little") == 4228358 * 10**14
    # the listing says five decimals of a size, and a trade has eight
    assert table.schema.metadata[b"size_precision"] == b"8"
    assert table.schema.metadata[b"price_precision"] == b"2"


@pytest.mark.parametrize("style", [Style.FREQTRADE, Style.NAUTILUS])
def test_a_format_that_a_program_does_not_read_is_refused(
    store: ObjectStore, tmp_path: Path, style: Style
) -> None:
    with pytest.raises(UsageError, match=r"reads .*parquet"):
        exported(store, tmp_path, style=style, form=Format.CSV)


def test_an_export_that_fails_halfway_leaves_no_file(store: ObjectStore, tmp_path: Path) -> None:
    rows = rows_of(store, BARS)
    run = Export(rows, rows.parts, {}, Style.CANDLELAKE, Format.CSV, (), tmp_path)

    def cut() -> Iterator[pa.Table]:
        yield next(rows.parts(BTC))
        raise ServeError("the disk is gone")

    with pytest.raises(ServeError, match="the disk is gone"):
        write(run.form(BTC), cut(), tmp_path, lambda _: None)

    assert list(tmp_path.iterdir()) == []


def test_a_file_appears_only_when_it_is_whole(store: ObjectStore, tmp_path: Path) -> None:
    rows = rows_of(store, BARS)
    run = Export(rows, rows.parts, {}, Style.CANDLELAKE, Format.CSV, (), tmp_path)
    seen: list[str] = []

    def watched() -> Iterator[pa.Table]:
        for part in rows.parts(BTC):
            seen.extend(path.name for path in tmp_path.glob("*.csv"))
            yield part

    done = write(run.form(BTC), watched(), tmp_path, lambda _: None)

    assert seen == []
    assert list(tmp_path.iterdir()) == [file_of(done)]


def test_two_exports_of_one_file_do_not_mix(store: ObjectStore, tmp_path: Path) -> None:
    rows = rows_of(store, BARS)
    run = Export(rows, rows.parts, {}, Style.CANDLELAKE, Format.CSV, (), tmp_path)

    def meanwhile() -> Iterator[pa.Table]:
        yield from rows.parts(BTC)
        with pytest.raises(ServeError, match="another export writes this file now"):
            write(run.form(BTC), rows.parts(BTC), tmp_path, lambda _: None)

    done = write(run.form(BTC), meanwhile(), tmp_path, lambda _: None)

    assert done.rows == 5


def test_what_a_killed_run_left_is_written_over(store: ObjectStore, tmp_path: Path) -> None:
    whole = file_of(exported(store, tmp_path / "good", form=Format.CSV))
    rows = rows_of(store, BARS)
    run = Export(rows, rows.parts, {}, Style.CANDLELAKE, Format.CSV, (), tmp_path / "again")
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    name = run.form(BTC).place((epoch, epoch)).name
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / f".{name}.part").write_bytes(b"cut" * 100_000)

    again = file_of(exported(store, tmp_path / "again", form=Format.CSV))

    assert again.read_bytes() == whole.read_bytes()
    assert list((tmp_path / "again").iterdir()) == [again]


@pytest.mark.parametrize("text", ["kind/kind", "year=…", "kind//instrument"])
def test_a_layout_of_what_is_no_folder_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--layout can't be read"):
        layout_of(text)
