"""Fetch the jars of conf/LIST.txt through Spark's own resolver and check each by its SHA-256.

Called once by the front door. With --lock it writes the hashes of what it fetched into the list.
A package marked `apart` is resolved by itself: no exclusion that names it holds there, so that it
can stand in for a version that another package asks for.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    """Fill .jars/LIST; return 1, with a line that says why, where that fails."""
    listing = HERE / "conf" / f"{arguments[0]}.txt"
    lines = [line.split() for line in listing.read_text(encoding="utf-8").splitlines()]
    packages = [line[1:] for line in lines if line[:1] == ["package"]]
    excludes = [line[1] for line in lines if line[:1] == ["exclude"]]
    hashes = {line[2]: line[1] for line in lines if line[:1] == ["sha256"]}
    ivy = HERE / ".cache" / "ivy" / arguments[0]
    if not all(
        _resolve(group, [one for one in excludes if not _names(one, group)], ivy / str(number))
        for number, group in enumerate(_groups(packages))
    ):
        return 1
    fetched = sorted(ivy.glob("*/jars/*.jar"), key=lambda jar: jar.name)
    if "--lock" in arguments:
        _lock(listing, fetched)
    elif not _verified(fetched, hashes):
        return 1
    target = HERE / ".jars" / arguments[0]
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for jar in fetched:
        shutil.copyfile(jar, target / jar.name)
    shutil.rmtree(ivy)
    return 0


def _groups(packages: list[list[str]]) -> list[list[str]]:
    """Return which packages are resolved together: all that are not marked `apart`."""
    together = [one[0] for one in packages if one[1:] != ["apart"]]
    return [together, *([one[0]] for one in packages if one[1:] == ["apart"])]


def _names(exclude: str, group: list[str]) -> bool:
    return any(package.startswith(f"{exclude}:") for package in group)


def _resolve(packages: list[str], excludes: list[str], ivy: Path) -> bool:
    command = [
        str(Path(sys.executable).parent / "spark-submit"),
        *("--packages", ",".join(packages)),
        *(("--exclude-packages", ",".join(excludes)) if excludes else ()),
        *("--conf", f"spark.jars.ivy={ivy}"),
        *("--conf", "spark.master=local[1]"),
        str(HERE / "deploy" / "resolved.py"),
    ]
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(done.stderr[-4000:], file=sys.stderr)
    return done.returncode == 0


def _verified(fetched: list[Path], hashes: dict[str, str]) -> bool:
    found = {jar.name: _sha256(jar) for jar in fetched}
    for name in sorted(found.keys() | hashes.keys()):
        if found.get(name) != hashes.get(name):
            print(
                f"jar {name}: SHA-256 is {found.get(name)}, pinned is {hashes.get(name)}",
                file=sys.stderr,
            )
    return found == hashes


def _lock(listing: Path, fetched: list[Path]) -> None:
    kept = [
        line
        for line in listing.read_text(encoding="utf-8").splitlines()
        if not line.startswith("sha256 ")
    ]
    pinned = [f"sha256 {_sha256(jar)} {jar.name}" for jar in fetched]
    listing.write_text("\n".join([*kept, *pinned]) + "\n", encoding="utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
