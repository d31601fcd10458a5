"""One writer a table, held by S3's conditional writes: two writers, a paused one, a lost answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lake.clock import SystemClock
from lake.errors import LeaseError
from lake.lease import Lease, held
from lake.objects import ObjectStore, open_store
from tests.s3.faulty_proxy import faulty_proxy
from tests.s3.real_server import S3Server
from tests.set_clock import SetClock

pytestmark = pytest.mark.s3

ROOT = Path(__file__).parents[2]
LIFE_SECONDS = 4
#: Holds the lease, says so, and tries to write once its standard input says that it may.
WRITER = """
import sys
from lake.clock import SystemClock
from lake.errors import LeaseError
from lake.lease import held
from lake.objects import open_store

with held(open_store(sys.argv[1]), SystemClock(), ("silver.trades",), int(sys.argv[2])) as leases:
    print("held", flush=True)
    sys.stdin.readline()
    try:
        leases[0].require()
        print("wrote", flush=True)
    except LeaseError as error:
        print(error, flush=True)
"""


def lease(store: ObjectStore, clock: SetClock) -> Lease:
    return Lease(store, clock, "silver.trades", 60)


def test_a_second_writer_is_refused_until_the_first_gives_back(store: ObjectStore) -> None:
    clock = SetClock()
    first, second = lease(store, clock), lease(store, clock)

    first.acquire()
    with pytest.raises(LeaseError, match=r"silver\.trades is being written by run"):
        second.acquire()
    first.release()
    second.acquire()

    second.require()
    with pytest.raises(LeaseError):
        first.require()


def test_a_writer_that_slept_through_its_life_can_not_write_renew_or_give_back(
    store: ObjectStore,
) -> None:
    clock = SetClock()
    paused, other = lease(store, clock), lease(store, clock)
    paused.acquire()
    clock.sleep(61)
    other.acquire()

    with pytest.raises(LeaseError):
        paused.require()
    with pytest.raises(LeaseError):
        paused.renew()
    paused.release()

    other.renew()
    other.require()


def test_a_renewal_whose_answer_was_lost_keeps_the_lease(
    server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SetClock()
    with faulty_proxy(server.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        mine = lease(open_store(f"s3a://{bucket}"), clock)
        proxy.lost_answers = 1
        mine.acquire()
        proxy.lost_answers = 1
        mine.renew()

        mine.renew()
        mine.require()


@pytest.mark.slow
def test_a_paused_process_loses_the_table_and_knows_it_when_it_wakes(
    store: ObjectStore, server: S3Server, bucket: str
) -> None:
    root = f"s3a://{bucket}/lake/one"
    command = [sys.executable, "-c", WRITER, root, str(LIFE_SECONDS)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as paused:
        assert paused.stdin is not None
        assert paused.stdout is not None
        assert paused.stdout.readline() == "held\n"
        with pytest.raises(LeaseError):
            Lease(store, SystemClock(), "silver.trades", LIFE_SECONDS).acquire()
        paused.send_signal(signal.SIGSTOP)
        time.sleep(LIFE_SECONDS + 0.5)

        with held(store, SystemClock(), ("silver.trades",), LIFE_SECONDS) as leases:
            paused.send_signal(signal.SIGCONT)
            said, _ = paused.communicate("write\n", timeout=30)
            leases[0].require()

    assert said.startswith("the lease of silver.trades was lost or not renewed in time")
