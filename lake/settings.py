"""Typed, frozen settings: conf/base.toml, conf/<env>.toml, CANDLELAKE_ variables, then --set."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import (
    BaseModel,
    ValidationError,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from lake.beside import beside_code
from lake.errors import SettingsError
from lake.named_secrets import PREFIX as NAMES_A_SECRET
from lake.named_secrets import named_secret
from lake.sections_of_keeping import Levels, Maintenance, Room
from lake.setting_sections import (
    Bronze,
    Continuous,
    Exchanges,
    Extract,
    Gold,
    Kafka,
    Lake,
    Live,
    Minute,
    OtherExchange,
    Reconcile,
    Serve,
    Status,
    Window,
    Workers,
)

PREFIX = "CANDLELAKE_"
#: Variables with our prefix that are not settings: where conf/ lies, which environment, and
#: which requirements the front door installs.
RESERVED = frozenset({"CANDLELAKE_CONF", "CANDLELAKE_ENV", "CANDLELAKE_REQUIREMENTS"})
#: Settings that stand in no file: the environment gives them, or a file names a secret of AWS's.
SECRETS = frozenset(
    {("kafka", "password"), ("kafka", "key_password"), ("serve", "database_password")}
)
Environment = Literal["replay", "local", "aws"]
ENVIRONMENTS: tuple[str, ...] = get_args(Environment)


class Settings(BaseSettings):
    """Every setting, each under one name: its path in the TOML."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    env: Environment
    lake: Lake
    exchanges: Exchanges
    extract: Extract
    workers: Workers
    minute: Minute
    live: Live
    kafka: Kafka
    status: Status
    window: Window
    bronze: Bronze
    gold: Gold
    continuous: Continuous
    reconcile: Reconcile
    serve: Serve
    maintenance: Maintenance
    levels: Levels
    room: Room
    #: exchange -> kind -> names or patterns
    universe: Mapping[str, Mapping[str, tuple[str, ...]]]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values as `load_settings` merged them: it alone decides the order."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def conf_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder of the settings files: CANDLELAKE_CONF, else conf/ beside the code."""
    named = (os.environ if environ is None else environ).get("CANDLELAKE_CONF")
    return Path(named) if named else beside_code("conf")


def load_settings(
    env: str,
    overrides: Sequence[str] = (),
    *,
    conf: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Load the settings of an environment.

    Args:
        env: `replay`, `local` or `aws`.
        overrides: `path=value` pairs, as given with --set; the last one wins.
        conf: the folder of the TOML files.
        environ: the environment variables to read; the process's own by default.

    Raises:
        SettingsError: an unknown environment, an unreadable file, an unknown key or a bad value,
            or a secret that can't be read.
    """
    if env not in ENVIRONMENTS:
        raise SettingsError(
            f"unknown environment '{env}'", hint=f"Known are {', '.join(ENVIRONMENTS)}."
        )
    folder = conf or conf_folder(environ)
    merged = _merge(_read_toml(folder / "base.toml"), _read_toml(folder / f"{env}.toml"))
    for path, value in _from_environment(os.environ if environ is None else environ):
        _put(merged, path, value)
    for override in overrides:
        path_text, separator, value = override.partition("=")
        if not separator:
            raise SettingsError(f"--set takes path=value, was '{override}'")
        _put(merged, path_text.split("."), value)
    for table, names in _secrets(merged, ()):
        table[names[-1]] = named_secret(str(table[names[-1]]), ".".join(names))
    try:
        return Settings.model_validate({"env": env, **merged})
    except ValidationError as error:
        raise _explained(error) from error


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(f"the settings file {path} does not exist") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the settings file {path} is not TOML: {error}") from error
    except OSError as error:
        raise SettingsError(f"the settings file {path} can't be read: {error.strerror}") from error
    for table, names in _secrets(read, ()):
        # the replay exchange takes any key, so that one of its own is no secret
        if path.stem != "replay" and not str(table[names[-1]]).startswith(NAMES_A_SECRET):
            raise SettingsError(
                f"the secret {'.'.join(names)} stands in the file {path}",
                hint=f"Take it out and set {PREFIX}{'__'.join(names).upper()}, or name a secret of"
                f" AWS Secrets Manager: {NAMES_A_SECRET}NAME.",
            )
    return read


def _secrets(
    table: dict[str, Any], above: tuple[str, ...]
) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
    """Yield each secret that is set: the table that holds it, and its path."""
    for name, value in table.items():
        path = (*above, name)
        if isinstance(value, dict):
            yield from _secrets(value, path)
        elif _is_secret(path):
            yield table, path


def _is_secret(path: tuple[str, ...]) -> bool:
    return path in SECRETS or (path[0] == "exchanges" and path[-1] == "api_key")


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _merge(old, value)
        else:
            merged[key] = value
    return merged


def _from_environment(environ: Mapping[str, str]) -> list[tuple[list[str], str]]:
    return [
        (name.removeprefix(PREFIX).lower().split("__"), value)
        for name, value in sorted(environ.items())
        if name.startswith(PREFIX) and name not in RESERVED
    ]


def _put(settings: dict[str, Any], path: Sequence[str], text: str) -> None:
    table = settings
    for depth, key in enumerate(path):
        if key not in table and not _may_be_new(path, depth, table):
            raise _unknown_key(list(path[: depth + 1]), list(table))
        if depth == len(path) - 1:
            is_list = isinstance(table.get(key), list) or path[0] == "universe"
            table[key] = _names(text) if is_list else _option(path, text)
        else:
            inner = table.get(key, {})
            if not isinstance(inner, dict):
                raise _unknown_key(list(path[: depth + 2]), [])
            table[key] = dict(inner)
            table = table[key]


def _may_be_new(path: Sequence[str], depth: int, table: Mapping[str, Any]) -> bool:
    """A universe may name any exchange and kind, CCXT any exchange; a secret is in no file."""
    if path[0] == "universe":
        return depth > 0
    if path[0] == "exchanges" and path[2:] == ["ccxt"]:
        return depth > 0
    if path[0] == "exchanges" and depth > 1 and "options" in path[2:depth]:
        return True
    if path[0] == "exchanges" and depth == 2 and "ccxt" in table:
        return path[2] in OtherExchange.model_fields
    return path[-1] == "api_key" or (depth == 1 and tuple(path) in SECRETS)


def _option(path: Sequence[str], text: str) -> Any:
    """Read an option of CCXT's as TOML where it is some; every other value is text."""
    if path[0] == "exchanges" and "options" in path[2:-1]:
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            return text
    return text


def _names(text: str) -> Any:
    """Read a list: TOML, or names parted by commas."""
    if text.lstrip().startswith("["):
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"'{text}' is not a list") from error
    return [name.strip() for name in text.split(",") if name.strip()]


def _unknown_key(path: list[str], known: list[str]) -> SettingsError:
    near = difflib.get_close_matches(path[-1], known, n=1)
    hint = (
        f"Did you mean '{'.'.join([*path[:-1], near[0]])}'?"
        if near
        else (f"Known here are {', '.join(sorted(known))}." if known else None)
    )
    return SettingsError(f"unknown setting '{'.'.join(path)}'", hint=hint)


def _explained(error: ValidationError) -> SettingsError:
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        return _unknown_key(path, _known_keys(path[:-1]))
    if first["type"] == "missing" and path[0] == "exchanges" and path[2:] == ["ccxt"]:
        # without the key that makes it an exchange of CCXT's, the name is taken for a mistyped one
        return _unknown_key(path[:-1], _known_keys(path[:-2]))
    return SettingsError(f"setting '{'.'.join(path)}': {first['msg']}")


def _known_keys(path: list[str]) -> list[str]:
    model: type[BaseModel] = Settings
    for part in path:
        known = model.model_fields.get(part)
        inner = known.annotation if known else OtherExchange
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)
