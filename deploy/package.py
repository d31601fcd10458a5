"""Make the one artefact of a managed Spark: our packages as a zip, and what goes beside it.

    package.py FOLDER
    package.py --zip UNPACKED ZIP          a folder as a zip, likewise: Lambda's functions, a jar
    package.py --jars FOLDER               the jars of JARS, fetched, and the log store, compiled

FOLDER/candlelake.zip    for --py-files: our packages and conf/; same files, same bytes
FOLDER/run_job.py        what EMR Serverless and Glue start
FOLDER/requirements.txt  the pinned packages that such a Spark lacks
FOLDER/jars.txt          the jars that a Spark without Delta needs, with their hashes
FOLDER/VERSION           the project's version and the commit
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from lake.beside import BUILT, version

HERE = Path(__file__).resolve().parent.parent
ROOMS = ("conf", "expectations", "extract", "jobs", "lake", "serve", "transform")
#: What a Spark of AWS lacks of its own release, by the name in the package: list and file.
JARS = {
    "spark-hadoop-cloud-4.0.jar": ("jars-emr", "spark-hadoop-cloud_2.13-4.0.2.jar"),
    "spark-hadoop-cloud-4.1.jar": ("jars-s3", "spark-hadoop-cloud_2.13-4.1.1.jar"),
}
#: What deploy/log-store.sh compiles, for lake.log_store = "conditional".
LOG_STORE = "candlelake-log-store.jar"
#: What every Spark brings itself.
BROUGHT = ("pyspark", "py4j")
#: A zip's own beginning of time: a file's moment is no part of it.
MOMENT = (1980, 1, 1, 0, 0, 0)


def main(arguments: list[str]) -> int:
    """Fill the folder and print its version."""
    if arguments[:1] == ["--zip"] and len(arguments) == 3:
        folder = Path(arguments[1])
        pack(Path(arguments[2]), folder, _within(folder))
        return 0
    if arguments[:1] == ["--jars"] and len(arguments) == 2:
        for name, (group, file) in JARS.items():
            fetched = HERE / ".jars" / group / f"org.apache.spark_{file}"
            shutil.copyfile(fetched, Path(arguments[1]) / name)
        compiled = HERE / ".jars" / "log-store" / LOG_STORE
        shutil.copyfile(compiled, Path(arguments[1]) / LOG_STORE)
        return 0
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    target = Path(arguments[0])
    target.mkdir(parents=True, exist_ok=True)
    ours = [path for room in ROOMS for path in _within(HERE / room)]
    pack(target / "candlelake.zip", HERE, ours, {BUILT: f"{version()}\n"})
    shutil.copyfile(HERE / "deploy" / "aws" / "run_job.py", target / "run_job.py")
    runtime = (HERE / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    (target / "requirements.txt").write_text(without(runtime, BROUGHT), encoding="utf-8")
    lists = (HERE / "conf" / f"{name}.txt" for name in ("jars", "jars-s3", "jars-kafka"))
    jars = "".join(f"# {one.stem}\n{one.read_text(encoding='utf-8')}" for one in lists)
    (target / "jars.txt").write_text(jars, encoding="utf-8")
    (target / "VERSION").write_text(f"{version()}\n", encoding="utf-8")
    print(version())
    return 0


def pack(
    target: Path, home: Path, files: Iterable[Path], more: Mapping[str, str] | None = None
) -> None:
    """Write files into a zip, under their paths below `home`; order and moments are always alike.

    `more` are files that are nowhere: their names, and what they hold.
    """
    # a job that runs may still hand the old one to its executors
    unfinished = target.with_suffix(f".{os.getpid()}")
    with ZipFile(unfinished, "w") as packed:
        for path in sorted(files):
            _add(packed, path.relative_to(home).as_posix(), path.read_bytes())
        for name, content in (more or {}).items():
            _add(packed, name, content.encode())
    unfinished.replace(target)


def without(requirements: str, names: tuple[str, ...]) -> str:
    """Return a list of pinned packages without some, their hashes included."""
    entries = re.split(r"^(?=\S)", requirements, flags=re.MULTILINE)
    return "".join(one for one in entries if one.partition("==")[0].strip() not in names)


def _within(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _add(packed: ZipFile, name: str, content: bytes) -> None:
    info = ZipInfo(name, MOMENT)
    info.external_attr = 0o644 << 16
    packed.writestr(info, content, ZIP_DEFLATED, 6)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
