"""What goes wrong with a store ends in one clear line, within a minute, without a secret."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from lake.errors import StorageError
from lake.objects import ObjectStore, open_store
from lake.s3 import S3Store, open_client
from tests.s3.faulty_proxy import FaultyProxy, faulty_proxy
from tests.s3.real_server import ACCESS_KEY, SECRET, S3Server, new_bucket

pytestmark = pytest.mark.s3


class NapClock:
    """A clock that remembers how long it was asked to sleep, and does not."""

    def __init__(self) -> None:
        self.sleeps: list[float] = []

    def now(self) -> object:  # pragma: no cover - the store never asks
        raise AssertionError

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)


@pytest.fixture
def proxy(server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    """A faulty network before the server; this process is pointed at it."""
    with faulty_proxy(server.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        yield proxy


def failure(work: Callable[[], object]) -> str:
    """Return the one line that the work fails with."""
    with pytest.raises(StorageError) as caught:
        work()
    text = str(caught.value)
    assert "\n" not in text
    assert SECRET not in text
    assert ACCESS_KEY not in text
    return text


def test_a_wrong_secret_is_named(
    server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "guessed-wrongly")

    text = failure(lambda: open_store(f"s3a://{bucket}/lake"))

    assert text == (
        f"the secret does not belong to the access key [s3://{bucket}/lake/ at {server.endpoint}]."
        " Correct AWS_SECRET_ACCESS_KEY, or the profile in use."
    )
    assert "guessed" not in text


def test_an_unknown_access_key_is_named(
    server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")

    assert failure(lambda: open_store(f"s3a://{bucket}/lake")) == (
        f"S3 does not know the access key [s3://{bucket}/lake/ at {server.endpoint}]."
        " Correct AWS_ACCESS_KEY_ID, or the profile or role in use."
    )


def test_missing_credentials_are_named(
    server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    assert failure(lambda: open_store(f"s3a://{bucket}/lake")) == (
        f"no AWS credentials were found [s3://{bucket}/lake/ at {server.endpoint}]."
        " Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile or role."
    )


def test_half_of_the_credentials_is_none(
    server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    assert failure(lambda: open_store(f"s3a://{bucket}/lake")) == (
        "S3 can't be asked: Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY."
        " Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile or role."
    )


def test_an_unknown_profile_is_named(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "absent")

    assert failure(lambda: open_store("s3a://bucket/lake")) == (
        "S3 can't be asked: The config profile (absent) could not be found."
        " Check the AWS_ variables and ~/.aws/config."
    )


def test_an_address_without_a_scheme_is_named(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "127.0.0.1:9000")

    assert failure(lambda: open_store("s3a://bucket/lake")) == (
        "S3 can't be asked: Invalid endpoint: 127.0.0.1:9000."
        " Give AWS_ENDPOINT_URL as http://host:port or https://host."
    )


def test_a_missing_bucket_is_named(server: S3Server) -> None:
    assert failure(lambda: open_store("s3a://no-such-bucket/lake")) == (
        f"the bucket does not exist [s3://no-such-bucket/lake/ at {server.endpoint}]."
        " Create it first, or correct lake.root."
    )


def test_a_bucket_that_vanishes_is_named_by_every_call(store: ObjectStore, bucket: str) -> None:
    open_client().delete_bucket(Bucket=bucket)

    for work in every_call(store):
        assert failure(work).startswith("the bucket does not exist")


def test_a_server_that_is_gone_is_named_by_every_call_and_found_again(
    fresh_server: S3Server, enter: Callable[[S3Server], None]
) -> None:
    enter(fresh_server)
    store = open_store(f"s3a://{new_bucket()}/lake")
    store.create("kept", b"x")
    fresh_server.stop()

    began = time.monotonic()
    texts = [failure(work) for work in every_call(store)]

    assert {text.partition(" [")[0] for text in texts} == {
        "the connection to S3 was lost or never made"
    }
    assert all(f"at {fresh_server.endpoint}]. Check AWS_ENDPOINT_URL" in text for text in texts)
    assert time.monotonic() - began < 60 * len(texts)

    fresh_server.start_again()

    assert store.read("kept") == b"x"


@pytest.mark.slow
def test_a_server_that_hangs_is_given_up_within_a_minute(
    fresh_server: S3Server, enter: Callable[[S3Server], None]
) -> None:
    enter(fresh_server)
    store = open_store(f"s3a://{new_bucket()}/lake")
    fresh_server.freeze()

    began = time.monotonic()
    text = failure(lambda: store.create("a", b"x"))

    assert text.startswith("the connection to S3 was lost or never made [s3://lake-")
    assert time.monotonic() - began < 60


def test_a_conflict_with_another_write_is_tried_again(proxy: FaultyProxy, bucket: str) -> None:
    clock = NapClock()
    store = S3Store(open_client(), bucket, "lake", clock)  # type: ignore[arg-type]
    proxy.conflicts = 3

    assert store.create("a", b"mine") is True
    assert store.read("a") == b"mine"
    assert clock.sleeps == [0, 0.1, 0.3, 1]


def test_after_a_conflict_the_other_writer_may_have_won(proxy: FaultyProxy, bucket: str) -> None:
    store = S3Store(open_client(), bucket, "lake", NapClock())  # type: ignore[arg-type]
    assert store.create("a", b"theirs") is True
    proxy.conflicts = 1

    assert store.create("a", b"mine") is False
    assert store.read("a") == b"theirs"


def test_endless_conflicts_are_an_error_and_not_a_taken_name(
    proxy: FaultyProxy, bucket: str
) -> None:
    store = S3Store(open_client(), bucket, "lake", NapClock())  # type: ignore[arg-type]
    proxy.conflicts = 100

    assert failure(lambda: store.create("a", b"mine")) == (
        f"other writers kept the object busy [s3://{bucket}/lake/a at {proxy.endpoint}]."
        " Run again: it goes on where it stopped."
    )
    assert proxy.puts == 5


def test_a_creator_whose_answer_was_lost_still_learns_that_it_won(
    proxy: FaultyProxy, bucket: str
) -> None:
    store = open_store(f"s3a://{bucket}/lake")
    proxy.lost_answers = 1

    assert store.create("a", b"mine") is True
    assert proxy.puts == 2
    assert store.create("a", b"mine") is False


def test_a_replacer_whose_answer_was_lost_still_learns_that_it_won(
    proxy: FaultyProxy, bucket: str
) -> None:
    store = open_store(f"s3a://{bucket}/lake")
    store.create("a", b"first")
    found = store.read_versioned("a")
    assert found is not None
    proxy.lost_answers = 1

    assert store.replace("a", b"second", version=found[1]) is True
    assert store.read("a") == b"second"


def test_a_retry_is_not_taken_for_the_winner_where_another_was(
    proxy: FaultyProxy, bucket: str
) -> None:
    store = open_store(f"s3a://{bucket}/lake")
    store.create("a", b"theirs")
    proxy.lost_answers = 1

    assert store.create("a", b"mine") is False


def every_call(store: ObjectStore) -> list[Callable[[], object]]:
    return [
        lambda: store.create("a", b"x"),
        lambda: store.replace("a", b"x", version='"0"'),
        lambda: store.read("a"),
        lambda: list(store.names("")),
        lambda: store.delete("a"),
    ]
