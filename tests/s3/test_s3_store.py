"""The store on a real S3 server: whole, once, in order, under any name."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from lake.bronze import BronzeName, Coverage, parse_name
from lake.objects import ObjectStore, open_store
from lake.s3 import open_client

pytestmark = pytest.mark.s3

WRITERS = 16


def raced(write: Callable[[int], bool]) -> list[bool]:
    """Let 16 threads write at one moment; return who was told that it won."""
    start = threading.Barrier(WRITERS)

    def write_at_start(number: int) -> bool:
        start.wait()
        return write(number)

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(write_at_start, range(WRITERS)))


def test_an_object_is_created_once_and_reads_back_whole(store: ObjectStore) -> None:
    content = bytes(range(256)) * 4096

    assert store.create("a/one", content) is True
    assert store.create("a/one", b"another") is False
    assert store.read("a/one") == content


def test_an_empty_object_is_an_object(store: ObjectStore) -> None:
    assert store.create("a/empty", b"") is True
    assert store.read("a/empty") == b""
    assert store.create("a/empty", b"x") is False


def test_what_was_never_written_reads_as_nothing(store: ObjectStore) -> None:
    assert store.read("a/none") is None
    assert store.read_versioned("a/none") is None
    assert list(store.names("a/")) == []
    store.delete("a/none")


@pytest.mark.parametrize("attempt", range(5))
def test_of_sixteen_creators_one_wins_and_its_bytes_stay(store: ObjectStore, attempt: int) -> None:
    won = raced(lambda number: store.create("race", f"writer {number}".encode()))

    assert won.count(True) == 1
    assert store.read("race") == f"writer {won.index(True)}".encode()


@pytest.mark.parametrize("attempt", range(5))
def test_of_sixteen_replacers_of_one_version_one_wins(store: ObjectStore, attempt: int) -> None:
    store.create("race", b"first")
    version = store.read_versioned("race")[1]  # type: ignore[index]

    won = raced(lambda number: store.replace("race", f"writer {number}".encode(), version=version))

    assert won.count(True) == 1
    assert store.read("race") == f"writer {won.index(True)}".encode()


def test_a_replacement_needs_the_present_version(store: ObjectStore) -> None:
    store.create("a", b"first")
    first = store.read_versioned("a")
    assert first is not None

    assert store.replace("a", b"second", version=first[1]) is True
    assert store.replace("a", b"third", version=first[1]) is False
    assert store.read("a") == b"second"


def test_what_is_gone_is_not_replaced(store: ObjectStore) -> None:
    store.create("a", b"first")
    found = store.read_versioned("a")
    assert found is not None
    store.delete("a")

    assert store.replace("a", b"second", version=found[1]) is False
    assert store.read("a") is None


def test_more_than_a_thousand_names_come_in_the_order_of_their_bytes(store: ObjectStore) -> None:
    names = [f"many/{number:04d}" for number in range(1203)]
    # UTF-8 puts U+FFFD before U+10000; UTF-16, in which Java sorts, the other way round
    names += ["many/a", "many/Z", "many/é", "many/\ufffd", "many/\U00010000"]
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda name: store.create(name, b"x"), reversed(names)))

    found = list(store.names("many/"))

    assert found[:2] == ["many/0000", "many/0001"]
    assert found[1202:] == [
        "many/1202",
        "many/Z",
        "many/a",
        "many/é",
        "many/\ufffd",
        "many/\U00010000",
    ]


def test_names_are_those_below_the_prefix_and_the_root(bucket: str) -> None:
    store = open_store(f"s3://{bucket}/lake/one")
    for key in ("b/1", "b/2", "bb/3", "c"):
        store.create(key, b"x")
    open_store(f"s3a://{bucket}/lake/two").create("b/other", b"x")

    assert list(store.names("b/")) == ["b/1", "b/2"]
    assert list(store.names("b")) == ["b/1", "b/2", "bb/3"]


def test_the_markers_of_empty_folders_are_no_names(store: ObjectStore, bucket: str) -> None:
    open_client().put_object(Bucket=bucket, Key="lake/one/empty/", Body=b"")
    store.create("full/one", b"x")

    assert list(store.names("")) == ["full/one"]


def test_a_lake_may_be_a_whole_bucket(bucket: str) -> None:
    store = open_store(f"s3a://{bucket}")
    store.create("bronze/one", b"x")

    assert list(store.names("")) == ["bronze/one"]
    assert store.location("bronze/one") == f"s3a://{bucket}/bronze/one"


@pytest.mark.parametrize(
    ("instrument", "name"),
    [
        ("a/b", "a%2Fb"),
        ("..", "%2E%2E"),
        ("x~y", "x%7Ey"),
        ("x%41 y+z", "x%2541%20y%2Bz"),
        ("人生USDT", "%E4%BA%BA%E7%94%9FUSDT"),
    ],
)
def test_an_encoded_name_is_the_objects_own(
    store: ObjectStore, bucket: str, instrument: str, name: str
) -> None:
    key = BronzeName("trades", "binance", "spot", instrument, "history", Coverage(1, 2, 3, 4)).key

    store.create(key, b"x")

    assert key == f"bronze/trades/binance/spot/1970-01/{name}~history~i1_2~t3_4.ndjson.gz"
    assert list(store.names("bronze/")) == [key]
    assert parse_name(next(store.names("bronze/"))).instrument == instrument
    listed = open_client().list_objects_v2(Bucket=bucket)
    assert [entry["Key"] for entry in listed["Contents"]] == [f"lake/one/{key}"]


def test_sizes_are_told_beside_the_names(store: ObjectStore) -> None:
    for key, content in (("b/one", b"x"), ("b/two", b"xyz"), ("c", b"")):
        assert store.create(key, content)

    assert dict(store.sizes("b/")) == {"b/one": 1, "b/two": 3}
    assert sorted(key for key, _ in store.sizes("")) == list(store.names(""))
