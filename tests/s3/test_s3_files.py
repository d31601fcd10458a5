"""Files go into a real S3 server and out again in blocks, and are created once."""

from __future__ import annotations

import filecmp
import os
import tracemalloc
from pathlib import Path

import pytest

from lake.errors import StorageError
from lake.objects import ObjectStore
from lake.s3 import LARGEST_PUT_BYTES

pytestmark = pytest.mark.s3


def test_a_file_is_created_once_and_comes_back_with_its_sum(
    store: ObjectStore, tmp_path: Path
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"first")

    assert store.create_file("a/b", source) is True
    source.write_bytes(b"later")
    assert store.create_file("a/b", source) is False

    assert store.read("a/b") == b"first"
    # printf first | sha256sum
    expected = "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e"
    assert store.read_to("a/b", target) == expected
    assert target.read_bytes() == b"first"
    assert store.read_to("a/none", tmp_path / "none") is None


def test_a_big_file_is_never_wholly_in_memory(store: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    with source.open("wb") as file:
        for _ in range(64):
            file.write(os.urandom(1 << 20))

    tracemalloc.start()
    store.create_file("a/big", source)
    store.read_to("a/big", tmp_path / "target")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 16 << 20
    assert filecmp.cmp(source, tmp_path / "target", shallow=False)


def test_a_file_beyond_one_upload_is_refused_before_it_is_sent(
    store: ObjectStore, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    with source.open("wb") as file:
        file.truncate(LARGEST_PUT_BYTES + 1)  # a hole: it takes no room

    with pytest.raises(StorageError, match="5,368,709,121 bytes is more than S3 takes at once"):
        store.create_file("a/too-big", source)

    assert store.read("a/too-big") is None
