"""The folder store: objects whole or not at all, one winner of every race, keys as in S3."""

from __future__ import annotations

import filecmp
import os
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.errors import StorageError
from lake.objects import FolderStore, is_s3, open_store

ROOT = Path(__file__).parents[2]
RACERS = 16


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "lake")


def debris(store: FolderStore) -> list[str]:
    """What lies in the store's own room, but for its lock."""
    own = store.root / "_incoming"
    return [path.name for path in own.iterdir() if path.name != ".lock"] if own.exists() else []


def race(attempts: Sequence[Callable[[], bool]]) -> list[int]:
    """Start all attempts at once; return the numbers of those that won."""
    start = threading.Barrier(len(attempts))

    def run(attempt: Callable[[], bool]) -> bool:
        start.wait()
        return attempt()

    with ThreadPoolExecutor(len(attempts)) as pool:
        won = list(pool.map(run, attempts))
    return [number for number, result in enumerate(won) if result]


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_an_object_is_created_once(store: FolderStore) -> None:
    assert store.create("a/b/c", b"first")
    assert not store.create("a/b/c", b"second")

    assert store.read("a/b/c") == b"first"
    assert debris(store) == []


def test_a_file_is_copied_in_once_and_out_again_with_its_sum(
    store: FolderStore, tmp_path: Path
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"first")

    assert store.create_file("a/b/c", source)
    source.write_bytes(b"later")
    assert not store.create_file("a/b/c", source)

    assert store.read("a/b/c") == b"first"
    # printf first | sha256sum
    expected = "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e"
    assert store.read_to("a/b/c", target) == expected
    assert target.read_bytes() == b"first"
    assert debris(store) == []


def test_of_an_object_that_is_not_there_no_file_is_made(store: FolderStore, tmp_path: Path) -> None:
    target = tmp_path / "target"

    assert store.read_to("a/none", target) is None
    assert not target.exists()


def test_a_file_that_cannot_be_read_leaves_nothing(store: FolderStore, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="could not write"):
        store.create_file("a/b", tmp_path / "missing")

    assert store.read("a/b") is None
    assert debris(store) == []


def test_a_big_file_is_never_wholly_in_memory(store: FolderStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    with source.open("wb") as file:
        for _ in range(64):
            file.write(os.urandom(1 << 20))

    tracemalloc.start()
    store.create_file("a/big", source)
    store.read_to("a/big", tmp_path / "target")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 8 << 20
    assert filecmp.cmp(source, tmp_path / "target", shallow=False)


def test_a_race_to_create_has_one_winner(store: FolderStore) -> None:
    for turn in range(8):
        key = f"k/{turn}"
        create = partial(store.create, key)
        (winner,) = race([partial(create, b"%d" % number) for number in range(RACERS)])
        assert store.read(key) == b"%d" % winner
    assert debris(store) == []


def test_no_half_written_object_is_ever_seen(store: FolderStore) -> None:
    content = os.urandom(1 << 20) * 8
    seen: set[int] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for key in store.names("big/"):
                seen.add(len(store.read(key) or b""))

    watcher = threading.Thread(target=watch)
    watcher.start()
    for number in range(10):
        store.create(f"big/{number}", content)
    done.set()
    watcher.join()

    assert seen <= {len(content)}
    assert len(list(store.names("big/"))) == 10


def test_an_object_is_replaced_only_in_the_version_that_was_read(store: FolderStore) -> None:
    store.create("k", b"1")
    _, version = store.read_versioned("k") or (b"", "")

    assert store.replace("k", b"2", version=version)
    assert not store.replace("k", b"3", version=version)
    assert not store.replace("absent", b"3", version=version)

    assert store.read("k") == b"2"
    assert list(store.names("")) == ["k"]
    assert debris(store) == []


def test_a_race_to_replace_one_version_has_one_winner(store: FolderStore) -> None:
    store.create("k", b"start")
    for _ in range(8):
        _, version = store.read_versioned("k") or (b"", "")
        contents = [b"%s %d" % (version.encode(), number) for number in range(RACERS)]
        replace = partial(store.replace, "k", version=version)
        (winner,) = race([partial(replace, content) for content in contents])
        assert store.read("k") == contents[winner]
    assert debris(store) == []


def test_an_object_that_is_being_replaced_is_never_absent(store: FolderStore) -> None:
    store.create("k", b"0")
    stolen: list[bool] = []
    done = threading.Event()

    def thief() -> None:
        while not done.is_set():
            stolen.append(store.read("k") is None or store.create("k", b"stolen"))

    watcher = threading.Thread(target=thief)
    watcher.start()
    for number in range(100):
        content, version = store.read_versioned("k") or (b"", "")
        assert store.replace("k", content + b"%d" % number, version=version)
    done.set()
    watcher.join()

    assert stolen
    assert not any(stolen)


def test_an_absent_object_reads_as_none(store: FolderStore) -> None:
    store.create("a", b"1")

    for key in ("b", "a/b", "x/y/z"):
        assert store.read(key) is None
        assert store.read_versioned(key) is None


def test_a_deleted_object_is_gone_and_may_be_deleted_again(store: FolderStore) -> None:
    store.create("a/b", b"1")
    store.delete("a/b")
    store.delete("a/b")

    assert store.read("a/b") is None
    assert store.create("a/b", b"2")


def test_an_object_below_another_object_is_not_taken_for_held(store: FolderStore) -> None:
    store.create("a", b"1")

    for key in ("a/b", "a/b/c"):
        with pytest.raises(StorageError, match="could not create"):
            store.create(key, b"2")
    assert debris(store) == []


KEYS = [
    "bronze/trades/binance/spot/2024-01/AB~x",
    "bronze/trades/binance/spot/2024-01/A~x",
    "bronze/trades/binance/spot/2024-02/A~x",
    "bronze/trades_extra/x",
    "bronze/_incoming/x",
    "my_incoming",
    ".hidden",
    "z/%5Fall",
    "z/B",
    "z/a",
    "z/\u00e9",
    "z/\U0001f600",
    "z/\uffee",
    "z-",
    "z.x",
]


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("bronze/trades/binance/spot/2024-01/A~", KEYS[1:2]),
        ("bronze/trades/binance/spot/2024-01/A", KEYS[0:2]),
        ("bronze/trades/binance/spot/2024-0", KEYS[0:3]),
        ("bronze/trades", KEYS[0:4]),
        ("bronze/trades/", KEYS[0:3]),
        ("bro", ["bronze/_incoming/x", *KEYS[0:4]]),
        ("z", ["z-", "z.x", "z/%5Fall", "z/B", "z/a", "z/\u00e9", "z/\uffee", "z/\U0001f600"]),
        ("z/", ["z/%5Fall", "z/B", "z/a", "z/\u00e9", "z/\uffee", "z/\U0001f600"]),
        ("absent/", []),
        ("bronze/trades_extra/x/y", []),
        (".h", [".hidden"]),
        ("my", ["my_incoming"]),
    ],
)
def test_names_are_found_by_string_prefix_in_the_order_of_their_bytes(
    store: FolderStore, prefix: str, found: list[str]
) -> None:
    for key in reversed(KEYS):
        store.create(key, b"")

    assert list(store.names(prefix)) == found


def test_an_empty_store_has_no_names(store: FolderStore) -> None:
    assert list(store.names("")) == []
    assert list(store.names("bronze/")) == []


segments = st.text(alphabet="ab.~%é", min_size=1, max_size=3).filter(lambda s: s not in (".", ".."))


@settings(max_examples=50)
@given(
    keys=st.sets(st.lists(segments, min_size=1, max_size=3).map("/".join), max_size=8),
    prefix=st.text(alphabet="ab.~%é", max_size=3),
)
def test_any_prefix_finds_what_starts_with_it(
    tmp_path_factory: pytest.TempPathFactory, keys: set[str], prefix: str
) -> None:
    store = FolderStore(tmp_path_factory.mktemp("store"))
    kept = [key for key in keys if not any(other.startswith(f"{key}/") for other in keys)]
    for key in kept:
        assert store.create(key, b"")

    expected = sorted((key for key in kept if key.startswith(prefix)), key=lambda key: key.encode())
    assert list(store.names(prefix)) == expected


@pytest.mark.parametrize(
    "key",
    [
        "../x",
        "a/../../x",
        "a/..",
        "..",
        "/etc/passwd",
        "./x",
        "a/./b",
        "a//b",
        "a\x00b",
        "a/\ud800",
    ],
)
def test_a_key_that_leaves_its_folder_is_refused_everywhere(store: FolderStore, key: str) -> None:
    with pytest.raises(StorageError, match="leaves its folder"):
        store.create(key, b"")
    with pytest.raises(StorageError, match="leaves its folder"):
        store.read(key)
    with pytest.raises(StorageError, match="leaves its folder"):
        store.read_versioned(key)
    with pytest.raises(StorageError, match="leaves its folder"):
        store.replace(key, b"", version="")
    with pytest.raises(StorageError, match="leaves its folder"):
        store.delete(key)
    with pytest.raises(StorageError, match="leaves its folder"):
        store.location(key)


@pytest.mark.parametrize("prefix", ["../", "a/../../", "/etc/"])
def test_a_listing_stays_in_its_folder(store: FolderStore, prefix: str) -> None:
    with pytest.raises(StorageError, match="leaves its folder"):
        list(store.names(prefix))


def test_a_name_too_long_for_the_file_system_is_a_storage_error(store: FolderStore) -> None:
    with pytest.raises(StorageError, match="could not create"):
        store.create("a/" + "x" * 256, b"")
    assert debris(store) == []


def test_a_root_that_is_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = FolderStore(tmp_path / "file")

    with pytest.raises(StorageError, match="could not write"):
        store.create("a", b"")
    assert store.read("a") is None


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from lake.errors import StorageError
from lake.objects import FolderStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    FolderStore(Path(sys.argv[1])).create("a", b"x" * 2000)
except StorageError as error:
    print(error)
"""


def test_a_full_disk_is_one_line_and_leaves_nothing(store: FolderStore) -> None:
    done = run_python(FULL_DISK, str(store.root))

    assert "could not write" in done.stdout, done.stderr
    assert "disk's space" in done.stdout
    assert list(store.names("")) == []
    assert debris(store) == []


READ_ONLY = """
import os, sys
from pathlib import Path
from lake.errors import StorageError
from lake.objects import FolderStore
if os.geteuid() == 0:
    os.setuid(65534)
store = FolderStore(Path(sys.argv[1]))
for attempt in (lambda: store.create("a/b", b""), lambda: store.delete("held"),
                lambda: list(store.names("closed/")), lambda: store.read("closed/x")):
    try:
        attempt()
    except StorageError as error:
        print(error)
"""


def test_a_folder_without_rights_is_one_line_each(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    root = tmp_path / "lake"
    FolderStore(root).create("held", b"kept")
    FolderStore(root).create("closed/x", b"kept")
    (root / "closed").chmod(0o000)
    (root / "_incoming").chmod(0o555)
    root.chmod(0o555)

    done = run_python(READ_ONLY, str(root))
    (root / "closed").chmod(0o755)

    verbs = ["write", "delete", "list", "read"]
    assert [line.split()[2] for line in done.stdout.splitlines()] == verbs, done.stderr
    assert FolderStore(root).read("held") == b"kept"


def test_the_location_is_what_spark_opens(tmp_path: Path) -> None:
    assert FolderStore(tmp_path).location("gold/ohlcv") == f"{tmp_path}/gold/ohlcv"


def test_a_root_is_opened_by_its_scheme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert open_store("data/x").location("k") == f"{tmp_path}/data/x/k"
    assert open_store(f"file://{tmp_path}").location("k") == f"{tmp_path}/k"
    with pytest.raises(StorageError, match="unknown scheme 'ftp'"):
        open_store("ftp://host/x")
    assert [is_s3(root) for root in ("s3://b/x", "s3a://b", "./s3", "file:///s3")] == [
        True,
        True,
        False,
        False,
    ]
