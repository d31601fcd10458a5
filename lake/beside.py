"""Files that lie beside the code: in a checkout, or within the zip that --py-files brings."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
import tomllib
from functools import cache
from pathlib import Path
from zipfile import ZipFile

#: What holds our packages: a checkout's folder, or a zip.
HOME = Path(__file__).resolve().parent.parent
#: Written into the zip when it is made.
BUILT = "lake/built.txt"


def beside_code(folder: str) -> Path:
    """Return a folder of the checkout; of a zip it is unpacked for as long as this process lives.

    Args:
        folder: its path below the checkout, such as `conf`.
    """
    return HOME / folder if HOME.is_dir() else _unpacked(folder)


@cache
def _unpacked(folder: str) -> Path:
    target = Path(tempfile.mkdtemp(prefix="candlelake-"))
    atexit.register(shutil.rmtree, target, ignore_errors=True)
    with ZipFile(HOME) as packed:
        names = [name for name in packed.namelist() if name.startswith(f"{folder}/")]
        packed.extractall(target, names)
    return target / folder


@cache
def version() -> str:
    """Return the version and the commit of this code, such as `0.1.0-3c490380aa11`."""
    if not HOME.is_dir():
        with ZipFile(HOME) as packed:
            return packed.read(BUILT).decode().strip()
    built = HOME / BUILT
    if built.exists():
        return built.read_text(encoding="utf-8").strip()
    project = tomllib.loads((HOME / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return "-".join([project["version"], *_commit()])


def _commit() -> list[str]:
    """Return the commit, and `changed` where files differ from it; nothing outside of git."""
    words = ["git", "-C", str(HOME), "describe", "--always", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run([*words, "--dirty=-changed"], capture_output=True, check=False)
    except OSError:
        return []
    return [done.stdout.decode().strip()] if done.returncode == 0 else []
