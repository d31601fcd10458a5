"""Object stores, a folder or S3: whole objects, created conditionally, never half-written."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lake.errors import StorageError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TEMPORARY = "_incoming"


class ObjectStore(Protocol):
    """What bronze, leases and reports are kept in; keys are paths with `/`, relative to the root.

    Every method raises StorageError where the store can't be reached or refuses.
    """

    def create(self, key: str, content: bytes) -> bool:
        """Create an object whole; False, and nothing changed, where the key is taken."""

    def replace(self, key: str, content: bytes, *, version: str) -> bool:
        """Replace the object if it still has `version`; False where it has not."""

    def read(self, key: str) -> bytes | None:
        """Return the object's bytes, or None where there is none."""

    def read_versioned(self, key: str) -> tuple[bytes, str] | None:
        """Return the object's bytes and its version, or None where there is none."""

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the keys that start with `prefix`, sorted by their UTF-8 bytes."""

    def delete(self, key: str) -> None:
        """Delete the object; nothing happens where there is none."""

    def location(self, key: str) -> str:
        """Return the address of the key as Spark opens it."""


def is_s3(root: str) -> bool:
    """Tell whether a lake's root is in S3."""
    return root.startswith(("s3://", "s3a://"))


def open_store(root: str) -> ObjectStore:
    """Open the store of a lake's root: a folder, or `s3://` / `s3a://bucket/prefix`.

    Raises:
        StorageError: the bucket does not exist, or the credentials are refused.
    """
    scheme, separator, rest = root.partition("://")
    if not separator:
        return FolderStore(Path(root).absolute())
    if scheme == "file":
        return FolderStore(Path("/" + rest.lstrip("/")))
    if scheme not in ("s3", "s3a"):
        raise StorageError(
            f"lake.root has the unknown scheme '{scheme}'",
            hint="Use a folder or s3a://bucket/path.",
        )
    from lake.s3 import S3Store, open_client  # noqa: PLC0415 - boto3 only where S3 is used

    bucket, _, prefix = rest.partition("/")
    client: S3Client = open_client()
    return S3Store(client, bucket, prefix.strip("/"))


class FolderStore:
    """An object store in a folder of the local file system."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(self, key: str, content: bytes) -> bool:
        """Create an object whole; False, and nothing changed, where the key is taken."""
        target = self._path(key)
        if target.exists():
            return False
        temporary = self._written(content)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            # a hard link is the one local call that is atomic and refuses an existing name
            os.link(temporary, target)
        except FileExistsError:
            return False
        except OSError as error:
            raise _failed("create", target, error) from error
        finally:
            temporary.unlink(missing_ok=True)
        return True

    def replace(self, key: str, content: bytes, *, version: str) -> bool:
        """Replace the object if it still has `version`; False where it has not.

        The old file is first renamed away under a name made of its version: of two callers
        that hold the same version, one rename fails.
        """
        target = self._path(key)
        found = self.read_versioned(key)
        if found is None or found[1] != version:
            return False
        claimed = target.with_name(f".{target.name}.{version}")
        temporary = self._written(content)
        try:
            target.rename(claimed)
            claimed.unlink()
            os.link(temporary, target)
        except (FileNotFoundError, FileExistsError):
            return False
        except OSError as error:
            raise _failed("replace", target, error) from error
        finally:
            temporary.unlink(missing_ok=True)
        return True

    def read(self, key: str) -> bytes | None:
        """Return the object's bytes, or None where there is none."""
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failed("read", self._path(key), error) from error

    def read_versioned(self, key: str) -> tuple[bytes, str] | None:
        """Return the object's bytes and its version, or None where there is none."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                return file.read(), f"{status.st_ino}-{status.st_mtime_ns}"
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failed("read", path, error) from error

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the keys that start with `prefix`, sorted by their UTF-8 bytes."""
        folder = self._path(prefix.rpartition("/")[0]) if "/" in prefix else self.root
        found = (
            path.relative_to(self.root).as_posix()
            for path in folder.rglob("*")
            if path.is_file() and not path.name.startswith(".")
        )
        yield from sorted(
            (name for name in found if name.startswith(prefix) and TEMPORARY not in name),
            key=str.encode,
        )

    def delete(self, key: str) -> None:
        """Delete the object; nothing happens where there is none."""
        self._path(key).unlink(missing_ok=True)

    def location(self, key: str) -> str:
        """Return the address of the key as Spark opens it."""
        return str(self._path(key))

    def _path(self, key: str) -> Path:
        if ".." in key.split("/") or key.startswith("/"):
            raise StorageError(f"the key '{key}' leaves its folder")
        return self.root / key

    def _written(self, content: bytes) -> Path:
        temporary = self.root / TEMPORARY / uuid.uuid4().hex
        try:
            temporary.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise _failed("write", temporary, error) from error
        return temporary


def _failed(verb: str, path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"could not {verb} {path}: {error.strerror or error}",
        hint="Check the disk's space and the folder's rights; nothing half-written is left.",
    )
