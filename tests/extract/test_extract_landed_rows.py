"""Rows read back from bronze: each once, in order, digit for digit, and of the window alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from extract.landed_rows import Series, landed_rows
from lake.bronze import BronzeName, Coverage, Dataset, Envelope, Mode, to_file
from lake.errors import BronzeError, UsageError
from lake.objects import FolderStore

RECEIVED = datetime(2024, 1, 2, tzinfo=UTC)
TRADES = Series("agg_trades", "binance", "usdm", "BTCUSDT")
BARS = Series("klines", "binance", "spot", "BTCUSDT", "1m")
NAMES = [field.name for field in TRADES.shape.fields]


def land(
    store: FolderStore,
    body: str,
    ids: tuple[int, int],
    times: tuple[int, int],
    *,
    series: Series = TRADES,
    mode: Mode = "history",
    tag: str = "",
    landed: datetime = RECEIVED,
) -> None:
    whose: dict[str, str] = {"exchange": series.exchange, "kind": series.kind}
    dataset: Dataset = series.dataset
    envelope = Envelope(
        **whose,
        dataset=dataset,
        instrument=series.instrument,
        mode=mode,
        region="test",
        request={},
        status=200,
        end_download_timestamp=RECEIVED,
        knowledge_timestamp=landed,
        run_id="run",
        sequence=1,
        body=body.encode(),
    )
    name = BronzeName(
        dataset,
        series.exchange,
        series.kind,
        series.instrument,
        mode,
        Coverage(*ids, *times),
        "-".join(part for part in (series.interval, tag) if part),
    )
    assert store.create(name.key, to_file([envelope]))


def entry(row_id: int, time_ms: int, price: str = "1.10") -> str:
    head = f'"a":{row_id},"p":"{price}","q":"0.5","f":{row_id},"l":{row_id}'
    return f'{{{head},"T":{time_ms},"m":true}}'


def body(*entries: str) -> str:
    return f"[{','.join(entries)}]"


def ids(store: FolderStore, from_ms: int, until_ms: int) -> list[str | None]:
    return [row["a"] for row in landed_rows(store, TRADES, from_ms, until_ms)]


def test_a_row_counts_in_the_file_that_covers_it_and_once(store: FolderStore) -> None:
    land(store, body(entry(1, 10), entry(2, 20), entry(3, 30)), (1, 2), (0, 20))
    land(store, body(entry(2, 20), entry(3, 30), entry(4, 40)), (2, 3), (21, 30))
    land(store, body(entry(4, 40), entry(5, 50)), (4, 5), (31, 100))

    assert ids(store, 0, 100) == ["1", "2", "3", "4", "5"]
    assert ids(store, 20, 50) == ["2", "3", "4"]


def test_lines_of_the_archive_are_rows_as_rest_writes_them(store: FolderStore) -> None:
    header = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"
    lines = f"{header}\n1,1.10,0.5,1,1,10,True\r\n2,1.10,0.5,2,2,20,true\n"
    land(store, lines, (1, 2), (0, 20), mode="archive", tag="0123456789ab")
    land(store, body(entry(3, 30)), (3, 3), (20, 40))

    rows = list(landed_rows(store, TRADES, 0, 100))

    land(store, body(entry(1, 10), entry(2, 20)), (1, 2), (0, 30))
    assert rows == list(landed_rows(store, TRADES, 0, 100))
    assert [row["a"] for row in rows] == ["1", "2", "3"]


def test_microseconds_of_the_archive_are_cut_and_count_for_the_window(store: FolderStore) -> None:
    micros = 1_735_689_600_000_999
    lines = f"{micros},1,1,1,1,1,{micros + 59_999_000},1,1,1,1,0\n"
    millis = micros // 1000
    times = (millis, millis + 60_000)
    land(store, lines, times, times, series=BARS, mode="archive", tag="0123456789ab")

    (bar,) = landed_rows(store, BARS, millis, millis + 1)

    assert (bar["open_time"], bar["close_time"]) == (str(millis), str(millis + 59_999))


def test_of_an_id_that_landed_twice_the_first_row_counts_however_files_are_cut(
    store: FolderStore,
) -> None:
    later = RECEIVED + timedelta(hours=1)
    lines = "".join(f"{n},2.20,0.5,{n},{n},{n * 10},true\n" for n in (1, 2, 4, 5))
    land(store, lines, (1, 5), (0, 60), mode="archive", tag="0123456789ab", landed=later)
    land(store, body(entry(2, 20)), (2, 2), (15, 25))
    land(store, body(entry(3, 30)), (3, 3), (25, 35), tag="repair", landed=later)

    rows = list(landed_rows(store, TRADES, 0, 100))

    told = [(row["a"], row["p"]) for row in rows]
    assert told == [("1", "2.20"), ("2", "1.10"), ("3", "1.10"), ("4", "2.20"), ("5", "2.20")]


def test_what_another_interval_or_a_collector_has_landed_is_left_out(store: FolderStore) -> None:
    land(store, body(entry(1, 10)), (1, 1), (0, 20), mode="live")
    land(store, '[[0,"1","1","1","1","1",1,"1",1,"1","1","0"]]', (0, 1), (0, 2), series=BARS)
    hourly = Series("klines", "binance", "spot", "BTCUSDT", "1h")

    assert ids(store, 0, 100) == []
    assert list(landed_rows(store, hourly, 0, 100)) == []
    (bar,) = landed_rows(store, BARS, 0, 100)
    assert (bar["open_time"], bar["count"], bar["ignore"]) == ("0", "1", "0")


def test_digits_stay_and_what_was_not_sent_is_null(store: FolderStore) -> None:
    sent = '[{"a":7,"p":0.10000000000000000000001,"q":null,"T":5,"m":false,"new":1}]'
    land(store, sent, (7, 7), (0, 9))

    (row,) = landed_rows(store, TRADES, 0, 9)

    assert list(row) == NAMES
    assert row["p"] == "0.10000000000000000000001"
    assert (row["q"], row["f"], row["m"]) == (None, None, "false")


def test_an_entry_without_an_id_or_a_time_is_passed_over(store: FolderStore) -> None:
    land(store, body('{"a":1}', '{"T":1}', '"text"', entry(2, 20)), (1, 2), (0, 30))

    assert ids(store, 0, 100) == ["2"]


@pytest.mark.parametrize("sent", ["{}", "[1"])
def test_an_answer_that_is_no_list_is_told_with_its_file(store: FolderStore, sent: str) -> None:
    land(store, sent, (1, 2), (0, 30))

    with pytest.raises(BronzeError, match=r"an answer is no .*bronze/agg_trades/binance/usdm"):
        ids(store, 0, 100)


def test_rows_of_an_exchange_that_nobody_can_read_are_refused(store: FolderStore) -> None:
    with pytest.raises(UsageError, match="rows of deribit future trades can't be read"):
        list(landed_rows(store, Series("trades", "deribit", "future", "BTC-PERPETUAL"), 0, 1))
