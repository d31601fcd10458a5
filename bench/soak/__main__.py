"""Soaks the live path: collectors, the pipeline and the storage fail, and silver is whole.

Run by `python -m bench.soak --minutes 15`. The recorded trades of three instruments are replayed so
slowly that they fill the time. At the end silver is compared with the recording, trade for trade,
and the ledger is looked through for open holes; anything else than equal ends with exit code 1.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

from bench.soak.plan import draw
from bench.soak.running import Soak, told
from bench.soak.storage import fetch_jars, opened


def main() -> int:
    """Run the soak of the command line; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--storage",
        choices=("s3", "folder"),
        default="s3",
        help="a real S3 server that is slow, frozen and away at times, or a folder that is not",
    )
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupted)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="candlelake-soak-") as name:
        folder = Path(name)
        try:
            fetch_jars(given.storage)
            with opened(given.storage, folder) as storage:
                plan = draw(given.minutes, given.seed)
                report = Soak(storage, plan, folder / "log").run()
        except KeyboardInterrupt:
            print(f"soak failed: it was told to stop{_kept(folder)}", file=sys.stderr)
            return 130
        except Exception as error:  # noqa: BLE001 - one line for whatever it was
            print(f"soak failed: {type(error).__name__}: {error}{_kept(folder)}", file=sys.stderr)
            return 1
        print(told(report, seconds=time.monotonic() - began))
        if not report.is_sound:
            print(f"soak failed: silver is not the recording{_kept(folder)}", file=sys.stderr)
    return 0 if report.is_sound else 1


def _kept(folder: Path) -> str:
    """Save the log from the folder that goes; return where it is, as the end of a line."""
    log = folder / "log"
    if not log.exists():
        return ""
    kept = folder.parent / f"{folder.name}.log"
    shutil.copyfile(log, kept)
    return f"; the log is {kept}"


def _interrupted(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
