"""Universes: released lists of instruments in conf/universes/, one file a version."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import RootModel, ValidationError

from lake.errors import SettingsError
from lake.settings import conf_folder

FOLDER = "universes"


class Universe(RootModel[Mapping[str, Mapping[str, tuple[str, ...]]]]):
    """The names or patterns of a version, by exchange and kind."""

    def instruments(self, exchange: str, kind: str) -> tuple[str, ...]:
        """Return what is wanted of a kind of an exchange; nothing where it names none."""
        return self.root.get(exchange, {}).get(kind, ())


def versions(conf: Path | None = None) -> list[str]:
    """Return the versions that there are, sorted."""
    folder = (conf or conf_folder()) / FOLDER
    return sorted(path.stem for path in folder.glob("*.toml"))


def load_universe(version: str, conf: Path | None = None) -> Universe:
    """Load a version of the universe.

    Args:
        version: such as `v1`.
        conf: the folder of the TOML files.

    Raises:
        SettingsError: there is no such version, or its file can't be read.
    """
    known = versions(conf)
    if version not in known:
        raise SettingsError(
            f"there is no universe '{version}'",
            hint=f"Known are {', '.join(known)}." if known else "conf/universes/ is empty.",
        )
    path = (conf or conf_folder()) / FOLDER / f"{version}.toml"
    try:
        return Universe.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"the universe {path} can't be read: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise SettingsError(f"the universe {path}, '{place}': {first['msg']}") from error
