"""Typed, frozen settings: conf/base.toml, conf/<env>.toml, CANDLELAKE_ variables, then --set."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from lake.errors import SettingsError

PREFIX = "CANDLELAKE_"
#: Variables with our prefix that are not settings: where conf/ lies, which environment, and
#: which requirements the front door installs.
RESERVED = frozenset({"CANDLELAKE_CONF", "CANDLELAKE_ENV", "CANDLELAKE_REQUIREMENTS"})
Environment = Literal["replay", "local", "aws"]
ENVIRONMENTS: tuple[str, ...] = get_args(Environment)
BarInterval = Literal["1m", "5m", "15m", "1h", "4h", "1d"]


class Section(BaseModel):
    """A table of the TOML: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Lake(Section):
    """Where the lake is and how long a writer's lease lives (seconds)."""

    root: str
    region: str
    lease_seconds: int = Field(ge=2)
    session_time_zone: Literal["UTC"]


def _sendable(key: SecretStr) -> SecretStr:
    """Refuse what no header can carry: the fault would show the key."""
    text = key.get_secret_value()
    if not (text.isascii() and text.isprintable()) or text != text.strip():
        raise ValueError("the key holds a blank at an end, a line break or no plain letter")
    return key


ApiKey = Annotated[SecretStr, AfterValidator(_sendable)]


class BinanceSegment(Section):
    """One Binance market: its addresses, its request weight a minute, and a secret key.

    `historical_trades_url` is the host that is asked for trades by id; empty means `rest_url`.
    """

    rest_url: str
    ws_url: str
    weight_limit_per_minute: int = Field(gt=0)
    trades_dataset: Literal["trades", "agg_trades"]
    historical_trades_url: str = ""
    api_key: ApiKey | None = None


class Binance(Section):
    """Binance: the bulk archive and the three markets."""

    archive_url: str
    spot: BinanceSegment
    usdm: BinanceSegment
    coinm: BinanceSegment


class Deribit(Section):
    """Deribit: the live host, the history host, and the request rate it grants."""

    rest_url: str
    history_url: str
    ws_url: str
    requests_per_second: int = Field(gt=0)


class OtherExchange(Section):
    """An exchange whose bars CCXT knows how to ask for and to read.

    `ccxt` is CCXT's id of it; `rest_url` stands in the place of its hosts where one is named;
    without `requests_per_second` CCXT's own rate limit holds; `options` are handed to CCXT.
    """

    ccxt: str = Field(min_length=1)
    rest_url: str = ""
    requests_per_second: int | None = Field(default=None, gt=0)
    options: Mapping[str, Any] = Field(default_factory=dict)


class Exchanges(Section):
    """The exchanges that Candlelake speaks to; any further table is one of CCXT's."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, OtherExchange]

    binance: Binance
    deribit: Deribit

    @property
    def others(self) -> Mapping[str, OtherExchange]:
        """The exchanges of which CCXT gives the bars, by our name of each."""
        return self.__pydantic_extra__ or {}


class Extract(Section):
    """How the exchanges are asked: patience (seconds), retries, sizes, and when to ask the user."""

    connect_timeout_seconds: float = Field(gt=0)
    read_timeout_seconds: float = Field(gt=0)
    attempts: int = Field(ge=1)
    backoff_seconds: float = Field(ge=0)
    backoff_ceiling_seconds: float = Field(ge=0)
    limit_share: float = Field(gt=0, le=1)
    bar_interval: str
    chunk_limit: int = Field(ge=1000)
    pack_above: int = Field(ge=0)
    reserved_concurrency: int = Field(ge=1)
    workers: int = Field(ge=1)
    ask_above_bytes: int = Field(ge=0)
    ask_above_seconds: int = Field(ge=0)


class Workers(Section):
    """Where messages of a history are worked on, and how often one is delivered (seconds)."""

    home: Literal["pool", "celery", "sqs"]
    redis_url: str
    queue_url: str
    dead_letter_url: str
    visibility_seconds: int = Field(ge=1)
    deliveries: int = Field(ge=1)
    retry_seconds: int = Field(ge=0)


class Live(Section):
    """How collectors batch, wait, change connections and look for holes (seconds, bytes, ids)."""

    seconds: float = Field(gt=0)
    bytes: int = Field(gt=0)
    messages: int = Field(gt=0)
    buffer_bytes: int = Field(gt=0)
    store_patience_seconds: float = Field(ge=0)
    stale_seconds: float = Field(gt=0)
    connection_seconds: float = Field(gt=0)
    rotation_seconds: float = Field(ge=0)
    hole_seconds: float = Field(ge=0)
    quiet_seconds: float = Field(gt=0)
    look_back_seconds: int = Field(ge=0)
    fill_ids: int = Field(ge=0)
    status_seconds: float = Field(gt=0)
    metrics_port: int = Field(ge=0, le=65535)
    metrics_host: str = Field(min_length=1)


class Status(Section):
    """What `candlelake status` takes for stale (seconds; 0 never)."""

    stream_seconds: float = Field(ge=0)
    lag_seconds: float = Field(ge=0)
    hole_seconds: float = Field(ge=0)
    pipeline_seconds: float = Field(ge=0)
    gold_seconds: float = Field(ge=0)


class Window(Section):
    """What a run takes where no --start or --end is given; empty means since listing, until now."""

    start: str
    end: str


class Bronze(Section):
    """How bronze is read: files a batch, and how many rejected rows stop it."""

    files_per_batch: int = Field(ge=1)
    quarantine_share: float = Field(ge=0, le=1)
    quarantine_rows: int = Field(ge=0)


class Gold(Section):
    """Which bars are built, and how long after its end a bar may be published (seconds)."""

    grace_seconds: int = Field(ge=0)
    bar_intervals: tuple[BarInterval, ...]


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
    live: Live
    status: Status
    window: Window
    bronze: Bronze
    gold: Gold
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
    return Path(named) if named else Path(__file__).resolve().parent.parent / "conf"


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
        SettingsError: an unknown environment, an unreadable file, an unknown key or a bad value.
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
    try:
        return Settings.model_validate({"env": env, **merged})
    except ValidationError as error:
        raise _explained(error) from error


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(f"the settings file {path} does not exist") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the settings file {path} is not TOML: {error}") from error
    except OSError as error:
        raise SettingsError(f"the settings file {path} can't be read: {error.strerror}") from error


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
    """A universe may name any exchange and kind, CCXT any exchange; an API key is in no file."""
    if path[0] == "universe":
        return depth > 0
    if path[0] == "exchanges" and path[2:] == ["ccxt"]:
        return depth > 0
    if path[0] == "exchanges" and depth > 1 and "options" in path[2:depth]:
        return True
    if path[0] == "exchanges" and depth == 2 and "ccxt" in table:
        return path[2] in OtherExchange.model_fields
    return path[-1] == "api_key"


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
