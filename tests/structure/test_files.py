"""What is committed: no machine's paths, no registry's address, every package with its hashes."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]
REQUIREMENTS = sorted((ROOT / "requirements").glob("*.txt"))
#: Put together here, so that this file does not hold what it looks for.
HOME = re.compile("|".join(("/wo" + "rk/", "/ro" + "ot/", "/Us" + "ers/", "/ho" + "me/[a-z]")))
PUBLIC = {"pypi.org", "files.pythonhosted.org", "repo1.maven.org", "repo.maven.apache.org"}
PINNED = re.compile(r"^[a-z0-9][a-z0-9._-]*(\[[a-z0-9,_-]+\])?==\S+( ;.*)?$", re.IGNORECASE)


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    """Return what git holds or is about to hold: each text file under its path."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        if os.environ.get("CI") == "true":
            pytest.fail(f"git can't list the checkout: {listed.stderr}")
        pytest.skip("this is no git checkout")
    names = [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    return {name: text_of(ROOT / name) for name in names}


def text_of(path: Path) -> str:
    content = path.read_bytes()
    return "" if b"\0" in content[:8192] else content.decode("utf-8", "replace")


def test_no_file_names_a_path_of_one_machine(files: dict[str, str]) -> None:
    found = [
        f"{name}:{number}"
        for name, text in files.items()
        for number, line in enumerate(text.splitlines(), 1)
        if HOME.search(line)
    ]

    assert found == []


def test_no_file_names_this_machines_package_registry(files: dict[str, str]) -> None:
    hosts = {urlsplit(address).hostname for address in registries()} - PUBLIC - {None}
    found = [name for name, text in files.items() for host in hosts if host and host in text]

    assert found == []


def registries() -> list[str]:
    """Return the addresses that the clients of this machine are set to use."""
    named = [
        value for name, value in os.environ.items() if re.search("INDEX_URL|REGISTRY|PROXY", name)
    ]
    places = [
        "/etc/pip.conf",
        "~/.config/pip/pip.conf",
        "~/.pip/pip.conf",
        "~/.m2/settings.xml",
        "~/.npmrc",
    ]
    read = [
        path.read_text(errors="replace")
        for place in places
        if (path := Path(place).expanduser()).is_file()
    ]
    return [
        address for text in [*named, *read] for address in re.findall(r"https?://[^\s<\"']+", text)
    ]


def test_what_is_made_by_a_run_is_not_committed(files: dict[str, str]) -> None:
    made = re.compile(
        r"(^|/)(\.venv|\.jars|\.cache|__pycache__|data|metastore_db)/|\.pyc$|derby\.log$"
    )

    assert [name for name in files if made.search(name)] == []


def test_the_requirements_are_there() -> None:
    assert {path.stem for path in REQUIREMENTS} >= {"runtime", "dev", "extract"}


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.stem)
def test_every_package_is_pinned_and_has_its_hashes(path: Path) -> None:
    entries = path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    wrong = []
    for entry in entries:
        words = entry.partition("#")[0].split(" --hash=")
        if not words[0].strip():
            continue
        hashes = [word.strip() for word in words[1:]]
        good = [one for one in hashes if re.fullmatch(r"sha256:[0-9a-f]{64}", one)]
        if not PINNED.match(words[0].strip()) or not hashes or good != hashes:
            wrong.append(words[0].strip())

    assert wrong == []
    assert len(entries) > 1


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.stem)
def test_the_requirements_name_no_index(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert not re.search(r"--(extra-)?index-url|--find-links|--trusted-host|https?://|file:", text)


def test_the_extract_group_is_small_enough_for_a_function() -> None:
    text = (ROOT / "requirements" / "extract.txt").read_text(encoding="utf-8")
    names = {line.partition("==")[0].lower() for line in text.splitlines() if "==" in line}

    assert not names & {
        "pyspark",
        "delta-spark",
        "great-expectations",
        "pandas",
        "pyarrow",
        "numpy",
    }


def test_the_pins_satisfy_the_project_and_each_other() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    exact = [
        need
        for group in project["optional-dependencies"].values()
        for need in group
        if "==" in need
    ]
    runtime = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8").splitlines()
    pins = {line.split()[0] for line in runtime if "==" in line and not line.startswith(" ")}

    assert exact
    assert set(exact) <= pins
    shared = {
        name: versions for name, versions in versions_by_package().items() if len(versions) > 1
    }
    assert shared == {}


def versions_by_package() -> dict[str, set[str]]:
    """Return the versions of each package, told apart by the marker that chooses among them."""
    found: dict[str, set[str]] = {}
    for path in REQUIREMENTS:
        for line in path.read_text(encoding="utf-8").splitlines():
            if "==" in line and not line.startswith((" ", "#")):
                pin, _, marker = line.rstrip(" \\").partition(" ; ")
                name, _, version = pin.partition("==")
                found.setdefault(f"{name.lower()} {marker}", set()).add(version)
    return found


def test_every_jar_is_pinned_by_its_hash() -> None:
    for listing in sorted((ROOT / "conf").glob("jars*.txt")):
        lines = [line.split() for line in listing.read_text(encoding="utf-8").splitlines()]
        kinds = {words[0] for words in lines if words and not words[0].startswith("#")}
        hashes = [words for words in lines if words[:1] == ["sha256"]]

        assert kinds <= {"package", "exclude", "sha256"}, listing.name
        assert hashes, listing.name
        assert all(re.fullmatch(r"[0-9a-f]{64}", words[1]) for words in hashes), listing.name
        assert "://" not in listing.read_text(encoding="utf-8"), listing.name
