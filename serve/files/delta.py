"""A table of the lake, opened without Spark: its newest version as an Arrow dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.fs as pf

from lake.errors import StorageError, UsageError
from lake.objects import ObjectStore, is_s3
from lake.tables import Table

if TYPE_CHECKING:
    # takes half a second, which no command that opens no table should wait
    import pyarrow.dataset as pd


@dataclass(frozen=True, slots=True)
class Opened:
    """One version of a table: what is read later is of this version too.

    Attributes:
        files: what the log knows of each data file: its partition values as `partition.NAME`,
            minimum and maximum as `min.NAME` and `max.NAME`, `num_records`.
    """

    table: Table
    rows: pd.Dataset
    files: Sequence[dict[str, Any]]

    def partitions(self, *names: str) -> list[tuple[Any, ...]]:
        """Return the different values of some partition columns, sorted."""
        return sorted({tuple(file[f"partition.{name}"] for name in names) for file in self.files})


def opened(store: ObjectStore, table: Table) -> Opened | None:
    """Open a table; None where this lake has not made it yet.

    Raises:
        StorageError: it is there and can't be read.
        UsageError: this environment has no deltalake.
    """
    deltalake = _deltalake()
    location = store.location(table.path)
    try:
        if not deltalake.DeltaTable.is_deltatable(_address(location), _options(location)):
            return None
        delta = deltalake.DeltaTable(_address(location), storage_options=_options(location))
        # deltalake's own file system calls Python from Arrow's threads, and may hang at the end
        rows = delta.to_pyarrow_dataset(filesystem=_file_system(location))
        files = pa.table(delta.get_add_actions(flatten=True)).to_pylist()
    except (deltalake.exceptions.DeltaError, OSError) as error:
        raise StorageError(
            f"the table {table.name} can't be read: {_first_line(error)}",
            where=location,
            hint="candlelake doctor looks for damaged files.",
        ) from error
    return Opened(table, rows, files)


def _deltalake() -> ModuleType:
    try:
        import deltalake  # noqa: PLC0415 - of the group `files`: commands without files need none
        import deltalake.exceptions  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise UsageError(
            "files are read with deltalake, which is not installed here",
            hint="It is of the group files: pip install 'candlelake[files]', or ./run-tests.sh.",
        ) from error
    return deltalake


def _address(location: str) -> str:
    return location.replace("s3a://", "s3://", 1)


def _options(location: str) -> dict[str, str] | None:
    if not is_s3(location):
        return None
    from lake.s3 import endpoint, region  # noqa: PLC0415 - boto3 only where S3 is used

    options = {"AWS_REGION": named} if (named := region()) else {}
    if (address := endpoint()) is not None:
        insecure = str(address.startswith("http://")).lower()
        options |= {"AWS_ENDPOINT_URL": address, "AWS_ALLOW_HTTP": insecure}
    return options


def _file_system(location: str) -> pf.FileSystem:
    if not is_s3(location):
        return pf.SubTreeFileSystem(location, pf.LocalFileSystem())
    from lake.s3 import endpoint, region  # noqa: PLC0415 - boto3 only where S3 is used

    scheme, _, host = (endpoint() or "").rpartition("://")
    server = pf.S3FileSystem(
        region=region(), endpoint_override=host or None, scheme=scheme or "https"
    )
    return pf.SubTreeFileSystem(_address(location).removeprefix("s3://"), server)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
