"""Where the serving database is: the embedded one of a lake, or PostgreSQL by its URL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from lake.errors import SettingsError
from lake.objects import is_s3
from lake.settings import Settings

#: The embedded database's file below the lake's root.
EMBEDDED_FILE = "serve.sqlite"
VARIABLE = "CANDLELAKE_SERVE__DATABASE_PASSWORD"


@dataclass(frozen=True, slots=True)
class Address:
    """A database: PostgreSQL where there is a host, else SQLite; `database` is its file or name.

    `seconds` is how long a question may take. `memory` names a database that lives in this process.
    """

    database: str
    seconds: float
    host: str = ""
    port: int = 5432
    user: str = ""
    password: SecretStr | None = None
    memory: str = ""

    @property
    def is_postgres(self) -> bool:
        """Whether it is a PostgreSQL."""
        return bool(self.host)

    @property
    def shown(self) -> str:
        """What a message may tell of it: never a password."""
        if self.is_postgres:
            return f"postgresql://{self.user}@{self.host}:{self.port}/{self.database}"
        return f"memory:{self.memory}" if self.memory else self.database

    @property
    def file(self) -> str:
        """SQLite's name of it: a URI."""
        if self.memory:
            return f"file:{self.memory}?mode=memory&cache=shared"
        return Path(self.database).resolve().as_uri()

    @property
    def url(self) -> URL:
        """SQLAlchemy's URL of it, for its asynchronous driver."""
        if not self.is_postgres:
            return URL.create("sqlite+aiosqlite", database=self.file, query={"uri": "true"})
        return URL.create(
            "postgresql+asyncpg",
            username=self.user or None,
            password=self.password.get_secret_value() if self.password else None,
            host=self.host,
            port=self.port,
            database=self.database,
        )


def in_memory(name: str, seconds: float = 10) -> Address:
    """Return a database that is gone with the last of its connections in this process."""
    return Address("", seconds, memory=name)


def address_of(settings: Settings) -> Address:
    """Return the database that the settings name: embedded in the lake's folder by default.

    Raises:
        SettingsError: the URL can't be used or holds a password, or the lake has no folder.
    """
    serve = settings.serve
    if not serve.database_url:
        if is_s3(settings.lake.root):
            raise SettingsError(
                "a lake in S3 has no folder for the embedded database",
                where=settings.lake.root,
                hint="Name a PostgreSQL in serve.database_url.",
            )
        return Address(str(Path(settings.lake.root) / EMBEDDED_FILE), serve.statement_seconds)
    url = _parsed(serve.database_url)
    if url.password is not None:
        raise SettingsError(
            "serve.database_url holds a password, which belongs in no file and no command",
            hint=f"Take it out and set {VARIABLE}.",
        )
    if url.get_backend_name() != "postgresql" or not url.host or not url.database or url.query:
        raise SettingsError(
            "serve.database_url is no postgresql://user@host:port/name",
            hint="Or leave it empty: then the database is a file in the lake's folder.",
        )
    return Address(
        url.database,
        serve.statement_seconds,
        url.host,
        url.port or 5432,
        url.username or "",
        serve.database_password,
    )


def _parsed(text: str) -> URL:
    try:
        return make_url(text)
    except (ArgumentError, ValueError):
        # the URL may hold a password: neither it nor the parser's word of it is shown
        raise SettingsError(
            "serve.database_url is no postgresql://user@host:port/name",
            hint="Or leave it empty: then the database is a file in the lake's folder.",
        ) from None
