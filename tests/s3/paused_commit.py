"""Run by test_commits_on_s3 in a process of its own: a commit is held back on its way to S3.

It has been decided on, its version was free when it looked. While it waits another writer takes
that version, and then it goes on. What became of both is printed as one JSON object.
"""

from __future__ import annotations

import json
import os
import sys
from threading import Thread
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from lake.objects import ObjectStore, open_store
from lake.session import build_session
from lake.settings import load_settings
from lake.storage import Tables, Transaction
from tests.s3.faulty_proxy import FaultyProxy, faulty_proxy
from tests.s3.spark_on_s3 import PRINTS, held, prints

CONTESTED = f"{PRINTS.path}/_delta_log/{2:020}.json"


def main(root: str, log_store: str, backend: str) -> None:
    with faulty_proxy(backend) as proxy:
        os.environ["AWS_ENDPOINT_URL"] = proxy.endpoint
        settings = load_settings("local", [f"lake.root={root}", f"lake.log_store={log_store}"])
        tables = Tables(build_session(settings, "paused", master="local[1]"), open_store(root))
        os.environ["AWS_ENDPOINT_URL"] = backend
        direct = open_store(root)
        tables.ensure(PRINTS)
        tables.append(prints(tables.spark, ("BTCUSDT", 1, "10")), PRINTS)
        proxy.held_back = CONTESTED
        said: list[str] = []
        paused = Thread(target=append, args=(tables, said))
        paused.start()
        assert proxy.is_held.wait(120)
        taken = commit_of_another(direct)
        proxy.held_back = ""
        proxy.go_on.set()
        paused.join(180)
        seen = outcome(tables, direct, taken, said)
        seen["unanswered"] = unanswered(tables, proxy)
        seen["in conflict"] = [in_conflict(tables, proxy, times) for times in (4, 5)]
        sys.stdout.write(json.dumps(seen) + "\n")
        tables.spark.stop()


def unanswered(tables: Tables, proxy: FaultyProxy) -> dict[str, Any]:
    """Commit a transaction whose answer gets lost, and the same once more, as a next run does."""
    row = prints(tables.spark, ("BTCUSDT", 7, "17"))
    proxy.unanswered = f"{PRINTS.path}/_delta_log/{tables.version(PRINTS) + 1:020}.json"
    said = []
    for _ in range(2):
        try:
            tables.append(row, PRINTS, Transaction("run", 1))
            said.append("")
        except (PySparkException, Py4JError) as error:
            said.append(str(error)[:500])
    return {"said": said, "rows": sum(one[1] == 7 for one in held(tables))}


def in_conflict(tables: Tables, proxy: FaultyProxy, times: int) -> dict[str, Any]:
    """Commit while S3 answers so often that another request to that name is under way."""
    before = tables.version(PRINTS)
    proxy.conflicting = f"{PRINTS.path}/_delta_log/{before + 1:020}.json"
    proxy.conflicts = times
    said = ""
    try:
        tables.append(prints(tables.spark, ("BTCUSDT", 20 + times, "20")), PRINTS)
    except (PySparkException, Py4JError) as error:
        said = str(error)[:500]
    left, proxy.conflicts = proxy.conflicts, 0
    rows = sum(one[1] == 20 + times for one in held(tables))
    return {"said": said, "left": left, "rows": rows, "versions": tables.version(PRINTS) - before}


def append(tables: Tables, said: list[str]) -> None:
    try:
        tables.append(prints(tables.spark, ("BTCUSDT", 2, "11")), PRINTS)
        said.append("")
    except (PySparkException, Py4JError) as error:
        said.append(str(error)[:500])


def commit_of_another(store: ObjectStore) -> bytes:
    """Take the contested version as another driver does that found it free, with a row."""
    first = store.read(f"{PRINTS.path}/_delta_log/{1:020}.json") or b""
    add = next(json.loads(line) for line in first.splitlines() if b'"add"' in line)
    path = add["add"]["path"]
    content = store.read(f"{PRINTS.path}/{path}") or b""
    other = path.replace("part-00000", "part-00099")
    assert store.create(f"{PRINTS.path}/{other}", content)
    entry = first.replace(path.encode(), other.encode())
    assert store.create(CONTESTED, entry)
    return entry


def outcome(tables: Tables, store: ObjectStore, taken: bytes, said: list[str]) -> dict[str, Any]:
    return {
        "stands": store.read(CONTESTED) == taken,
        "said": said[0],
        "rows": held(tables),
        "version": tables.version(PRINTS),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
