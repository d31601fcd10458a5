"""Where a file of a series lies below the export's folder, and what it is called."""

from __future__ import annotations

from datetime import datetime
from pathlib import PurePosixPath

from lake.bronze import encoded
from lake.errors import UsageError
from serve.files.asked import Asked, Dataset, Series

#: The columns that a folder of a layout can stand for.
FOLDERS = ("exchange", "kind", "instrument", "bar_interval")


def layout_of(text: str) -> tuple[str, ...]:
    """Read a layout such as `kind=…/instrument=…` or `kind/instrument`.

    Raises:
        UsageError: it names what is no column of a folder, or one twice.
    """
    names = tuple(part.partition("=")[0].strip() for part in text.split("/")) if text else ()
    if any(name not in FOLDERS for name in names) or len(set(names)) != len(names):
        raise UsageError(
            f"--layout can't be read: '{text}'",
            hint=f"Name folders of {', '.join(FOLDERS)}, such as kind=…/instrument=….",
        )
    return names


def flat(series: Series, asked: Asked, range_: tuple[datetime, datetime]) -> str:
    """Return a file's name without its ending: whose rows, and of which range."""
    what = asked.interval if asked.dataset is Dataset.BARS else asked.dataset.value
    names = [encoded(name) for name in series]
    known = [f"as-of-{_compact(asked.as_of)}"] if asked.as_of else []
    return "-".join([*names, what, *map(_compact, range_), *known])


def folder(series: Series, asked: Asked, layout: tuple[str, ...]) -> PurePosixPath:
    """Return the folders of a layout, as Hive, Spark, DuckDB and Athena read them."""
    values = {**series._asdict(), "bar_interval": asked.interval or asked.dataset.value}
    return PurePosixPath(*(f"{name}={encoded(values[name])}" for name in layout))


def _compact(moment: datetime) -> str:
    text = (
        f"{moment:%Y%m%dT%H%M%S.%f}".rstrip("0").rstrip(".")
        if moment.microsecond
        else (f"{moment:%Y%m%dT%H%M%S}")
    )
    return f"{text}Z"
