"""The crew of `candlelake up`: real processes that die, hang and leave children behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from jobs.everything import crew
from jobs.everything.crew import Part, run
from lake.errors import CandlelakeError

RUNS_ON = "import time\nwhile True: time.sleep(0.1)"


def part(name: str, program: str) -> Part:
    return Part(name, [sys.executable, "-c", program])


def wait_for(path: Path, seconds: float = 20) -> str:
    deadline = time.monotonic() + seconds
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, f"{path.name} was not written"
        time.sleep(0.02)
    return path.read_text()


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def ends_behind(path: Path, stopping: Event) -> None:
    """Tell the crew to end when this file is written."""

    def wait() -> None:
        wait_for(path)
        stopping.set()

    Thread(target=wait, daemon=True).start()


@pytest.fixture
def stopping() -> Iterator[Event]:
    event = Event()
    yield event
    event.set()


def test_a_part_that_dies_is_started_again_and_the_others_go_on(
    tmp_path: Path, stopping: Event, capfd: pytest.CaptureFixture[str]
) -> None:
    death_seconds = tmp_path / "deaths"
    dies_twice = (
        f"import pathlib, sys, time\np = pathlib.Path({str(death_seconds)!r})\n"
        "n = len(p.read_text()) if p.exists() else 0\np.write_text('x' * (n + 1))\n"
        "if n < 2: print('life', n, flush=True); sys.exit(1)\n" + RUNS_ON
    )
    steady = part("steady", RUNS_ON)
    dying = part("dying", dies_twice)

    def ends_when_it_lives() -> None:
        while len(wait_for(death_seconds)) < 3:
            time.sleep(0.05)
        stopping.set()

    watcher = Thread(target=ends_when_it_lives)
    watcher.start()
    run([steady, dying], stopping, 30)
    watcher.join()

    assert len(dying.death_seconds) == 2
    assert steady.death_seconds == []
    assert "dying | life 0\n" in capfd.readouterr().err


def test_a_wrong_setting_ends_everything_with_what_was_said(stopping: Event) -> None:
    steady = part("steady", RUNS_ON)
    wrong = part("wrong", "import sys; print('candlelake: no such setting'); sys.exit(2)")

    with pytest.raises(
        CandlelakeError, match=r"wrong ended with exit code 2 \[candlelake: no such"
    ):
        run([steady, wrong], stopping, 30)

    assert steady.process is None


def test_one_that_dies_again_and_again_is_given_up(
    stopping: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "LONGEST_PAUSE_SECONDS", 0.05)
    hopeless = part("hopeless", "raise SystemExit(1)")

    with pytest.raises(CandlelakeError, match="hopeless ended with exit code 1, 5 times"):
        run([hopeless], stopping, 30)


def test_all_end_last_started_first_and_leave_nobody(tmp_path: Path, stopping: Event) -> None:
    ended, child = tmp_path / "ended", tmp_path / "child"
    tells = (
        "import pathlib, signal, sys, time\n"
        f"def end(*_):\n    open({str(ended)!r}, 'a').write(sys.argv[1])\n    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
    )
    # it starts a process that takes no notice of SIGTERM
    with_child = tells + (
        "import subprocess\n"
        "deaf = 'import signal as s, time; s.signal(s.SIGTERM, s.SIG_IGN); time.sleep(60)'\n"
        "it = subprocess.Popen([sys.executable, '-c', deaf])\n"
        f"time.sleep(0.5)\npathlib.Path({str(child)!r}).write_text(str(it.pid))\n"
    )
    first = Part("first", [sys.executable, "-c", tells + RUNS_ON, "1"])
    second = Part("second", [sys.executable, "-c", with_child + RUNS_ON, "2"])
    ends_behind(child, stopping)

    run([first, second], stopping, 30)

    assert ended.read_text() == "21"
    assert not is_running(int(child.read_text()))


def test_the_next_part_waits_until_one_is_ready(tmp_path: Path, stopping: Event) -> None:
    ready, begun = tmp_path / "ready", tmp_path / "begun"
    slow = Part(
        "slow",
        [
            sys.executable,
            "-c",
            f"import time; time.sleep(0.5); open({str(ready)!r}, 'w').write('y')\n" + RUNS_ON,
        ],
        ready=ready.exists,
    )
    later = part(
        "later",
        f"import os\nthere = os.path.exists({str(ready)!r})\n"
        f"open({str(begun)!r}, 'w').write(str(there))\n{RUNS_ON}",
    )
    ends_behind(begun, stopping)

    run([slow, later], stopping, 30)

    assert begun.read_text() == "True"


def test_it_ends_when_its_time_is_over(stopping: Event) -> None:
    began = time.monotonic()

    run([part("steady", RUNS_ON)], stopping, 0.5)

    assert 0.5 <= time.monotonic() - began < 10
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
