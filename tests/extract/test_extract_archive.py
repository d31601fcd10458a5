"""The bulk archive: verified before anything counts, landed untouched, cut into unchanged lines."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from extract.archive.zips import published_sum
from extract.replay.exchange import ReplayExchange
from lake.bronze import Coverage, Dataset, parse_name
from lake.errors import PermanentExtractError, UnreachableError, UsageError
from lake.objects import ObjectStore
from lake.settings import Settings
from tests.extract.asking import Extraction, bodies, lines
from tests.extract.bulk import agg_line, serving, zipped
from tests.extract.conftest import Open
from tests.extract.small_server import Scripted, SmallServer

DAY, NEXT_DAY = 1704067200000, 1704153600000
AGG_HEADER = (
    "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n"
)
RECORDED = Path(__file__).parents[2] / "recordings" / "BTCUSDT-aggTrades-2024-01-01.zip"
MakeSettings = Callable[..., Settings]


def parts(store: ObjectStore) -> list[Coverage]:
    return sorted(parse_name(key).coverage for key in bodies(store))


def in_order(store: ObjectStore) -> list[str]:
    return sorted(bodies(store), key=lambda key: parse_name(key).coverage)


def test_zip_and_checksum_land_untouched_and_the_lines_unchanged(opened: Open) -> None:
    text = "".join(agg_line(number, DAY + number) for number in range(5, 4505))
    content = zipped(text)
    with SmallServer(route=serving(content)) as server:
        spot = opened(server, "extract.chunk_limit=3000")
        landed = spot.trades("BTCUSDT", DAY, NEXT_DAY, source="archive")

    path = "/data/spot/daily/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2024-01-01.zip"
    assert server.paths == [f"{path}.CHECKSUM", path]
    key = "bronze/archive/binance/spot/agg_trades/2024-01/BTCUSDT-aggTrades-2024-01-01.zip"
    assert spot.store.read(key) == content
    digest = hashlib.sha256(content).hexdigest()
    checksum = f"{digest}  BTCUSDT-aggTrades-2024-01-01.zip\n"
    assert spot.store.read(f"{key}.CHECKSUM") == checksum.encode()
    assert (landed.files_created, landed.rows) == (2, 4500)
    assert parts(spot.store) == [
        Coverage(5, 3004, DAY, DAY + 3004),
        Coverage(3005, 4504, DAY + 3006, NEXT_DAY),
    ]
    pieces = [line for part in in_order(spot.store) for line in lines(spot.store, part)]
    assert b"".join(piece["body"] for piece in pieces) == text.encode()
    assert [json.loads(piece["request"])["first_line"] for piece in pieces] == [1, 2001, 3001]
    assert {json.loads(piece["request"])["sha256"] for piece in pieces} == {digest}
    assert {json.loads(piece["request"])["zip"] for piece in pieces} == {key}
    assert {parse_name(part).tag for part in bodies(spot.store)} == {digest[:12]}
    assert {piece["mode"] for piece in pieces} == {"archive"}


def test_a_second_run_asks_nothing(opened: Open) -> None:
    with SmallServer(route=serving(zipped(agg_line(1, DAY)))) as server:
        spot = opened(server)
        spot.trades("BTCUSDT", DAY, NEXT_DAY, source="archive")
        again = spot.trades("BTCUSDT", DAY + 5, DAY + 9, source="archive")

    assert (again.requests, again.files_created) == (0, 0)
    assert len(server.paths) == 2


def test_a_wrong_checksum_counts_for_nothing_and_names_both_sums(opened: Open) -> None:
    content = zipped(agg_line(1, DAY))
    with SmallServer(route=serving(content, sha256="ab" * 32)) as server:
        spot = opened(server)
        with pytest.raises(UnreachableError) as caught:
            spot.trades("BTCUSDT", DAY, NEXT_DAY, source="archive")

    assert hashlib.sha256(content).hexdigest() in str(caught.value)
    assert "ab" * 32 in str(caught.value)
    assert sum(not path.endswith(".CHECKSUM") for path in server.paths) == 6
    assert list(spot.store.names("bronze/")) == []


def test_a_day_that_is_not_published_is_said_so(opened: Open) -> None:
    with (
        SmallServer(Scripted(b"<Error/>", status=404)) as server,
        pytest.raises(PermanentExtractError, match="not published yet"),
    ):
        opened(server).trades("BTCUSDT", DAY, NEXT_DAY, source="archive")


def test_a_run_killed_among_the_parts_is_finished_without_a_new_download(opened: Open) -> None:
    content = zipped("".join(agg_line(number, DAY + number) for number in range(3000)))
    with SmallServer(route=serving(content)) as server:
        spot = opened(server, "extract.chunk_limit=1000")
        spot.trades("BTCUSDT", DAY, NEXT_DAY, source="archive")
        whole = bodies(spot.store)
        spot.store.delete(in_order(spot.store)[1])
        resumed = spot.trades("BTCUSDT", DAY, NEXT_DAY, source="archive")

    assert (resumed.files_created, resumed.files_held, resumed.requests) == (1, 2, 0)
    assert bodies(spot.store) == whole


@pytest.mark.parametrize(
    ("dataset", "text", "held", "rows"),
    [
        (
            "agg_trades",
            f"{AGG_HEADER}7,1.5,2,10,12,{DAY + 5},true\n9,1.5,2,13,13,{DAY + 6},false\n",
            Coverage(7, 9, DAY, NEXT_DAY),
            2,
        ),
        ("trades", f"3,1.5,2,3.0,{DAY + 5},true\n", Coverage(3, 3, DAY, NEXT_DAY), 1),
        ("trades", f"3,1.5,2,3.0,{DAY + 5}123,True,True\n", Coverage(3, 3, DAY, NEXT_DAY), 1),
        (
            "trades",
            "id,price,qty,quote_qty,time,is_buyer_maker\n",
            Coverage(0, -1, DAY, NEXT_DAY),
            0,
        ),
        ("trades", "", Coverage(0, -1, DAY, NEXT_DAY), 0),
    ],
    ids=["header", "no header", "microseconds", "only a header", "empty"],
)
def test_every_form_of_file_is_covered_and_kept_as_it_is(
    opened: Open, dataset: Dataset, text: str, held: Coverage, rows: int
) -> None:
    with SmallServer(route=serving(zipped(text))) as server:
        usdm = opened(server, kind="usdm")
        landed = usdm.trades("BTCUSDT", DAY, NEXT_DAY, dataset, "archive")

    assert "/data/futures/um/daily/" in server.paths[0]
    assert parts(usdm.store) == [held]
    assert landed.rows == rows
    ((_, found),) = bodies(usdm.store).items()
    assert b"".join(found) == text.encode()


def test_microseconds_and_holes_in_the_ids_leave_no_gap_between_parts(opened: Open) -> None:
    first = "".join(f"{n},1,1,1,{DAY + n}999,True,True\n" for n in range(1000))
    second = "".join(f"{n},1,1,1,{DAY + n}999,True,True\n" for n in range(2000, 2010))
    with SmallServer(route=serving(zipped(first + second))) as server:
        spot = opened(server, "extract.chunk_limit=1000")
        spot.trades("BTCUSDT", DAY, NEXT_DAY, "trades", "archive")
        again = spot.trades("BTCUSDT", DAY, NEXT_DAY, "trades", "archive")

    assert parts(spot.store) == [
        Coverage(0, 1999, DAY, DAY + 999),
        Coverage(2000, 2009, DAY + 2001, NEXT_DAY),
    ]
    assert again.requests == 0


def test_klines_are_covered_by_open_times_and_tagged_with_their_interval(opened: Open) -> None:
    hour = 3_600_000
    rows = "".join(f"{DAY + n * hour}000,1,1,1,1,1,{DAY},1,1,1,1,0\n" for n in range(24))
    content = zipped(rows)
    with SmallServer(route=serving(content)) as server:
        spot = opened(server)
        spot.bars("BTCUSDT", DAY, NEXT_DAY, "1h", "archive")
        assert spot.bars("BTCUSDT", DAY, NEXT_DAY, "1h", "archive").requests == 0

    assert server.paths[1] == "/data/spot/daily/klines/BTCUSDT/1h/BTCUSDT-1h-2024-01-01.zip"
    ((key, found),) = bodies(spot.store).items()
    assert parse_name(key).coverage == Coverage(DAY, NEXT_DAY - 1, DAY, NEXT_DAY)
    assert parse_name(key).tag == f"1h-{hashlib.sha256(content).hexdigest()[:12]}"
    assert b"".join(found) == rows.encode()


def test_what_is_no_zip_of_one_file_is_refused(opened: Open) -> None:
    with (
        SmallServer(route=serving(b"no zip at all")) as server,
        pytest.raises(PermanentExtractError, match="no zip"),
    ):
        opened(server).trades("BTCUSDT", DAY, NEXT_DAY, source="archive")
    with pytest.raises(PermanentExtractError, match=r"names no SHA-256 for a\.zip"):
        published_sum(b"<html>\n", "a.zip")


def test_deribit_has_no_archive(opened: Open, exchange: ReplayExchange) -> None:
    spot = opened(exchange)
    deribit = Extraction(spot.settings, spot.store, spot.client, "deribit", "future")
    with pytest.raises(UsageError, match="no bulk archive"):
        deribit.trades("BTC-PERPETUAL", DAY, NEXT_DAY, "trades", "archive")


@pytest.mark.slow
def test_the_bundled_day_is_the_same_through_rest_and_through_the_archive(
    own_exchange: ReplayExchange, opened: Open
) -> None:
    spot = opened(own_exchange)
    rest = spot.trades("BTCUSDT", DAY, NEXT_DAY)
    archive = spot.trades("BTCUSDT", DAY, NEXT_DAY, source="archive")
    asked = own_exchange.requests.count()

    spot.trades("BTCUSDT", DAY, NEXT_DAY)
    spot.trades("BTCUSDT", DAY, NEXT_DAY, source="archive")

    assert own_exchange.requests.count() == asked
    assert (rest.rows, archive.rows) == (863_403, 863_403)
    assert rest.requests < 880
    from_rest, from_archive = set[str](), set[str]()
    for key, found in bodies(spot.store).items():
        held = parse_name(key)
        for body in found:
            if held.mode == "archive":
                from_archive.update(body.decode().splitlines())
                continue
            rows = json.loads(body, parse_float=str)
            from_rest.update(csv_line(row) for row in rows if row["T"] < NEXT_DAY)
    assert from_rest == from_archive
    assert len(from_rest) == 863_403


def csv_line(row: dict[str, object]) -> str:
    return ",".join(str(row[name]) for name in ("a", "p", "q", "f", "l", "T", "m", "M"))


@pytest.mark.slow
def test_memory_stays_bounded_however_many_lines_a_zip_has(opened: Open) -> None:
    with SmallServer(route=serving(RECORDED.read_bytes())) as server:
        spot = opened(server, "extract.chunk_limit=10000")
        tracemalloc.start()
        landed = spot.trades("BTCUSDT", DAY, NEXT_DAY, source="archive")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert landed.rows == 863_403
    # the zip has 12 MB, its lines 76 MB
    assert peak < 10_000_000
