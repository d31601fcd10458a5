"""Object stores, a folder or S3: whole objects, created conditionally, never half-written."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from lake.errors import StorageError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: A folder store's own room: files that are being written, and the lock of its writers.
TEMPORARY = "_incoming"
LOCK = ".lock"
#: What is held in memory of a file at a time.
BLOCK = 1 << 20

Fill = Callable[[BinaryIO], None]


class ObjectStore(Protocol):
    """What bronze, leases and reports are kept in; keys are paths with `/`, relative to the root.

    Every method raises StorageError where the store can't be reached or refuses.
    """

    def __hash__(self) -> int:
        """Tell stores apart: what is remembered of one is not of another."""

    def create(self, key: str, content: bytes) -> bool:
        """Create an object whole; False, and nothing changed, where the key is taken."""

    def create_file(self, key: str, source: Path) -> bool:
        """Create an object of a local file, never wholly in memory; else as `create`."""

    def replace(self, key: str, content: bytes, *, version: str) -> bool:
        """Replace the object if it still has `version`; False where it has not."""

    def read_to(self, key: str, target: Path) -> str | None:
        """Copy an object into a local file; return its SHA-256, None where there is no object."""

    def read(self, key: str) -> bytes | None:
        """Return the object's bytes, or None where there is none."""

    def read_versioned(self, key: str) -> tuple[bytes, str] | None:
        """Return the object's bytes and its version, or None where there is none."""

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the keys that start with `prefix`, sorted by their UTF-8 bytes."""

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield the keys that start with `prefix`, each with its bytes, in no order."""

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
        return self._created(key, lambda file: _write(file, content))

    def create_file(self, key: str, source: Path) -> bool:
        """Create an object of a local file, never wholly in memory; else as `create`.

        The bytes are copied: a link would let a later change of the file into the store.
        """
        return self._created(key, lambda file: _copy(source, file))

    def _created(self, key: str, fill: Fill) -> bool:
        target = self._path(key)
        if os.path.lexists(target):
            return False
        temporary = self._written(fill)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            return _linked(temporary, target)
        except OSError as error:
            raise _failed("create", target, error) from error
        finally:
            temporary.unlink(missing_ok=True)

    def replace(self, key: str, content: bytes, *, version: str) -> bool:
        """Replace the object if it still has `version`; False where it has not.

        Readers see the old object or the new one, never none. Writers of this store wait for each
        other: the kernel frees the lock of one that dies.
        """
        target = self._path(key)
        temporary = self._written(lambda file: _write(file, content))
        try:
            with self._alone():
                found = self.read_versioned(key)
                if found is None or found[1] != version:
                    return False
                temporary.replace(target)
        except OSError as error:
            raise _failed("replace", target, error) from error
        finally:
            temporary.unlink(missing_ok=True)
        return True

    def read(self, key: str) -> bytes | None:
        """Return the object's bytes, or None where there is none."""
        try:
            return self._path(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise _failed("read", self._path(key), error) from error

    def read_to(self, key: str, target: Path) -> str | None:
        """Copy an object into a local file; return its SHA-256, None where there is no object."""
        try:
            with self._path(key).open("rb") as stored, target.open("wb") as file:
                return copied(iter(partial(stored.read, BLOCK), b""), file)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise _failed("copy", self._path(key), error) from error

    def read_versioned(self, key: str) -> tuple[bytes, str] | None:
        """Return the object's bytes and its version, or None where there is none."""
        content = self.read(key)
        return None if content is None else (content, hashlib.sha256(content).hexdigest())

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the keys that start with `prefix`, sorted by their UTF-8 bytes."""
        folder = self._path(prefix.rpartition("/")[0])
        found = (path.relative_to(self.root).as_posix() for path in _files(folder))
        wanted = (name for name in found if name.startswith(prefix))
        own = f"{TEMPORARY}/"
        yield from sorted((name for name in wanted if not name.startswith(own)), key=os.fsencode)

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield the keys that start with `prefix`, each with its bytes, in no order."""
        for key in self.names(prefix):
            # what is removed meanwhile counts no more
            with suppress(FileNotFoundError):
                yield key, self._path(key).stat().st_size

    def delete(self, key: str) -> None:
        """Delete the object; nothing happens where there is none."""
        target = self._path(key)
        try:
            with self._alone():
                target.unlink(missing_ok=True)
        except OSError as error:
            raise _failed("delete", target, error) from error

    def location(self, key: str) -> str:
        """Return the address of the key as Spark opens it."""
        return str(self._path(key))

    def _path(self, key: str) -> Path:
        if not _stays_inside(key):
            raise StorageError(f"the key {key[:300]!a} leaves its folder or is no path")
        return self.root / key

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the store's lock against the other writers of this machine, threads included."""
        lock = self.root / TEMPORARY / LOCK
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _written(self, fill: Fill) -> Path:
        temporary = self.root / TEMPORARY / uuid.uuid4().hex
        try:
            temporary.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            raise _failed("write", temporary, error) from error
        return temporary


def copied(blocks: Iterable[bytes], file: BinaryIO) -> str:
    """Write blocks to a file; return the SHA-256 of all of them."""
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
        file.write(block)
    return digest.hexdigest()


def _write(file: BinaryIO, content: bytes) -> None:
    file.write(content)


def _copy(source: Path, file: BinaryIO) -> None:
    with source.open("rb") as opened:
        shutil.copyfileobj(opened, file, BLOCK)


def _stays_inside(key: str) -> bool:
    """Tell whether a key names one place below the root; a last `/` is allowed for folders."""
    parts = key.removesuffix("/").split("/")
    climbs = bool(key) and any(part in ("", ".", "..") for part in parts)
    try:
        return not climbs and b"\0" not in key.encode("utf-8")
    except UnicodeEncodeError:
        return False


def _linked(temporary: Path, target: Path) -> bool:
    """Give the file its name; a hard link is atomic and refuses a name that is taken."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        return False
    return True


def _files(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder, none where it does not exist.

    Raises:
        StorageError: a folder can't be listed.
    """

    def refused(error: OSError) -> None:
        if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
            raise _failed("list", folder, error) from error

    for place, _, files in os.walk(folder, onerror=refused):
        yield from (Path(place, file) for file in files)


def _failed(verb: str, path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"could not {verb} {path}: {error.strerror or error}",
        hint="Check the disk's space and the folder's rights; nothing half-written is left.",
    )
