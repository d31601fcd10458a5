"""The S3 object store, on boto3: conditional creates, one clear line for each of S3's faults."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lake.clock import Clock, SystemClock
from lake.errors import StorageError
from lake.objects import BLOCK, copied

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

log = logging.getLogger(__name__)

Taken = TypeVar("Taken")

TAKEN = frozenset({"PreconditionFailed", "412"})
ABSENT = frozenset({"NoSuchKey", "404"})
#: Another conditional write of the same key was under way and S3 judged neither: ask again.
RACED = frozenset({"ConditionalRequestConflict", "OperationAborted"})
#: An upload in parts is no conditional create.
LARGEST_PUT_BYTES = 5 * 1024**3
WAITS_BEFORE_PUT_SECONDS = (0, 0.1, 0.3, 1, 3)


@dataclass(frozen=True, slots=True)
class Fault:
    """What can be wrong with a store: how boto3 or S3A puts it, what it means, what to do."""

    signs: re.Pattern[str]
    meaning: str
    hint: str


#: The more telling first: S3A wraps one sign into another.
FAULTS = (
    Fault(
        re.compile(r"NoSuchBucket|UnknownStoreException"),
        "the bucket does not exist",
        "Create it first, or correct lake.root.",
    ),
    Fault(
        re.compile(r"InvalidAccessKeyId"),
        "S3 does not know the access key",
        "Correct AWS_ACCESS_KEY_ID, or the profile or role in use.",
    ),
    Fault(
        re.compile(r"SignatureDoesNotMatch"),
        "the secret does not belong to the access key",
        "Correct AWS_SECRET_ACCESS_KEY, or the profile in use.",
    ),
    Fault(
        re.compile(r"NoCredentials|PartialCredentials|NoAuthWithAWS|Unable to load credentials"),
        "no AWS credentials were found",
        "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile or role.",
    ),
    Fault(
        re.compile(r"ExpiredToken|InvalidToken|TokenRefreshRequired"),
        "the AWS session has expired",
        "Sign in again, or renew AWS_SESSION_TOKEN.",
    ),
    Fault(
        re.compile(r"PermanentRedirect|AuthorizationHeaderMalformed|AWSRedirectException"),
        "the bucket is in another region",
        "Set AWS_REGION to the bucket's own.",
    ),
    Fault(
        re.compile(r"AccessDenied|Forbidden|Status Code: 403|^403$"),
        "S3 refused the access",
        "Check the access key, its secret and its rights on the bucket.",
    ),
    Fault(
        re.compile(
            r"ConnectionError|ConnectionClosed|ConnectException|UnknownHost|NoRouteToHost"
            r"|(Connect|Read|Socket|Call)Timeout|SocketException|NoHttpResponse|AWSNoResponse"
            r"|ResponseStreaming|IncompleteRead|Unable to execute HTTP request"
        ),
        "the connection to S3 was lost or never made",
        "Check AWS_ENDPOINT_URL and the network, then run again: it goes on where it stopped.",
    ),
    Fault(
        re.compile(r"SlowDown|ServiceUnavailable|Throttl|RequestLimitExceeded|Status Code: 503"),
        "S3 stayed too busy",
        "Run again later: it goes on where it stopped.",
    ),
)
_FROM_S3 = re.compile(r"s3a?://|fs\.s3a|awssdk")
# each frame below a call of the SDK names its time-outs: only what is said counts
_STACK_FRAME = re.compile(r"^\s+at .*$", re.MULTILINE)


def explained(text: str, where: str) -> StorageError | None:
    """Return the fault of S3 that a Spark error's text tells of, or None where it tells of none.

    Args:
        text: the whole message, stack trace included, of what Spark raised.
        where: what was being read or written.
    """
    said = _STACK_FRAME.sub("", text)
    fault = _fault(said) if _FROM_S3.search(said) else None
    return StorageError(fault.meaning, where=where, hint=fault.hint) if fault else None


def endpoint() -> str | None:
    """Return the address of an S3-compatible server, None where it is AWS itself."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def region() -> str | None:
    """Return the region to sign for; with a server of one's own, us-east-1 where none is named."""
    named = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or None
    return named or ("us-east-1" if endpoint() else None)


def open_client() -> S3Client:
    """Open a client: address from AWS_ENDPOINT_URL(_S3), credentials by boto3's own chain.

    A lost connection is given up after at most 4 tries of 10 s, under a minute.

    Raises:
        StorageError: the profile, the credentials or the address in the environment make no sense.
    """
    address = endpoint()
    config = Config(
        signature_version="s3v4",
        connect_timeout=5,
        read_timeout=10,
        retries={"total_max_attempts": 4, "mode": "standard"},
        max_pool_connections=32,
        s3={"addressing_style": "path" if address else "auto"},
    )
    try:
        # a session of its own: boto3's shared one is not for threads and keeps old credentials
        session = boto3.Session()
        return session.client("s3", endpoint_url=address, region_name=region(), config=config)
    except BotoCoreError as error:
        fault = _fault(type(error).__name__)
        hint = fault.hint if fault else "Check the AWS_ variables and ~/.aws/config."
        raise StorageError(f"S3 can't be asked: {error}", hint=hint) from error
    except ValueError as error:
        hint = "Give AWS_ENDPOINT_URL as http://host:port or https://host."
        raise StorageError(f"S3 can't be asked: {error}", hint=hint) from error


class S3Store:
    """An object store under a prefix of an S3 bucket."""

    def __init__(
        self, client: S3Client, bucket: str, prefix: str, clock: Clock | None = None
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._clock = clock or SystemClock()
        self._require_bucket()

    def create(self, key: str, content: bytes) -> bool:
        """Create an object whole; False, and nothing changed, where the key is taken."""
        return self._put(key, content, {"IfNoneMatch": "*"})

    def create_file(self, key: str, source: Path) -> bool:
        """Create an object of a local file, never wholly in memory; else as `create`.

        Raises:
            StorageError: the file is larger than S3 takes in one conditional upload.
        """
        size = source.stat().st_size
        if size > LARGEST_PUT_BYTES:
            raise StorageError(
                f"a file of {size:,} bytes is more than S3 takes at once ({LARGEST_PUT_BYTES:,})",
                where=self._where(key),
                hint="Land it in a lake in a folder, or cut it before.",
            )
        return self._put(key, source, {"IfNoneMatch": "*"})

    def replace(self, key: str, content: bytes, *, version: str) -> bool:
        """Replace the object if it still has `version` (its ETag); False where it has not."""
        return self._put(key, content, {"IfMatch": version})

    def read(self, key: str) -> bytes | None:
        """Return the object's bytes, or None where there is none."""
        found = self.read_versioned(key)
        return found[0] if found else None

    def read_to(self, key: str, target: Path) -> str | None:
        """Copy an object into a local file; return its SHA-256, None where there is no object."""

        def save(answer: GetObjectOutputTypeDef) -> str:
            with target.open("wb") as file:
                return copied(answer["Body"].iter_chunks(BLOCK), file)

        return self._got(key, save)

    def read_versioned(self, key: str) -> tuple[bytes, str] | None:
        """Return the object's bytes and its ETag, or None where there is none."""
        return self._got(key, lambda answer: (answer["Body"].read(), answer["ETag"]))

    def _got(self, key: str, take: Callable[[GetObjectOutputTypeDef], Taken]) -> Taken | None:
        """Return what `take` makes of an object while it is read, None where there is none."""
        try:
            return take(self._client.get_object(Bucket=self._bucket, Key=self._prefix + key))
        except ClientError as error:
            if _code(error) in ABSENT:
                return None
            raise self._failed("read", key, error) from error
        except BotoCoreError as error:
            raise self._failed("read", key, error) from error

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the keys that start with `prefix`, sorted by their UTF-8 bytes."""
        for key, _ in self.sizes(prefix):
            yield key

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield the keys that start with `prefix`, each with its bytes, in the order of `names`."""
        pages = self._client.get_paginator("list_objects_v2")
        try:
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix):
                for entry in page.get("Contents", []):
                    key = entry["Key"]
                    # S3A marks an empty folder with an object whose key ends so
                    if not key.endswith("/"):
                        yield key.removeprefix(self._prefix), entry["Size"]
        except (ClientError, BotoCoreError) as error:
            raise self._failed("list", prefix, error) from error

    def delete(self, key: str) -> None:
        """Delete the object; nothing happens where there is none."""
        try:
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key)
        except (ClientError, BotoCoreError) as error:
            raise self._failed("delete", key, error) from error

    def location(self, key: str) -> str:
        """Return the address of the key as Spark opens it."""
        return f"s3a://{self._bucket}/{self._prefix}{key}"

    def _put(self, key: str, content: bytes | Path, condition: dict[str, str]) -> bool:
        for wait in WAITS_BEFORE_PUT_SECONDS:
            self._clock.sleep(wait)
            try:
                return self._put_once(key, content, condition)
            except (ClientError, BotoCoreError) as error:
                if not isinstance(error, ClientError) or _code(error) not in RACED:
                    raise self._failed("write", key, error) from error
                log.info("another write of s3://%s/%s%s is under way", *self._place(key))
        raise StorageError(
            "other writers kept the object busy",
            where=self._where(key),
            hint="Run again: it goes on where it stopped.",
        )

    def _put_once(self, key: str, content: bytes | Path, condition: dict[str, str]) -> bool:
        try:
            with _opened(content) as body:
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=self._prefix + key,
                    Body=body,
                    **condition,  # type: ignore[arg-type]
                )
        except ClientError as error:
            if _code(error) in TAKEN:
                return self._is_own_retry(key, content, error)
            if _code(error) in ABSENT and "IfMatch" in condition:
                return False
            raise
        return True

    def _is_own_retry(self, key: str, content: bytes | Path, error: ClientError) -> bool:
        """Tell whether it was our own first try, whose answer got lost, that took the key."""
        tried_before = error.response["ResponseMetadata"].get("RetryAttempts", 0) > 0
        return tried_before and self._holds(key, content)

    def _holds(self, key: str, content: bytes | Path) -> bool:
        if isinstance(content, bytes):
            return self.read(key) == content
        with content.open("rb") as file:
            ours = hashlib.file_digest(file, "sha256").hexdigest()
        return self.read_to(key, Path(os.devnull)) == ours

    def _require_bucket(self) -> None:
        # a listing and not head_bucket: the answer to a HEAD says 403 without the reason
        try:
            self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)
        except (ClientError, BotoCoreError) as error:
            raise self._failed("open", "", error) from error

    def _failed(self, verb: str, key: str, error: ClientError | BotoCoreError) -> StorageError:
        code = _code(error) if isinstance(error, ClientError) else type(error).__name__
        fault = _fault(code)
        if fault is not None:
            return StorageError(fault.meaning, where=self._where(key), hint=fault.hint)
        return StorageError(
            f"S3 could not {verb} ({code}: {error})",
            where=self._where(key),
            hint="Check AWS_ENDPOINT_URL and the bucket, then run again: it goes on.",
        )

    def _where(self, key: str) -> str:
        bucket, prefix, name = self._place(key)
        return f"s3://{bucket}/{prefix}{name} at {self._client.meta.endpoint_url}"

    def _place(self, key: str) -> tuple[str, str, str]:
        return self._bucket, self._prefix, key


def _opened(content: bytes | Path) -> BinaryIO:
    return BytesIO(content) if isinstance(content, bytes) else content.open("rb")


def _fault(text: str) -> Fault | None:
    return next((fault for fault in FAULTS if fault.signs.search(text)), None)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
