"""The S3 object store, on boto3; objects are created with a conditional put."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from lake.errors import StorageError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = logging.getLogger(__name__)

TAKEN = frozenset({"PreconditionFailed", "412"})
RACED = frozenset({"ConditionalRequestConflict", "409"})
ABSENT = frozenset({"NoSuchKey", "404"})
REFUSED = frozenset(
    {"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken"}
)


def open_client() -> S3Client:
    """Open a client: address from AWS_ENDPOINT_URL(_S3), credentials by boto3's own chain."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    config = Config(
        signature_version="s3v4",
        connect_timeout=5,
        read_timeout=60,
        retries={"max_attempts": 5, "mode": "standard"},
        s3={"addressing_style": "path" if endpoint else "auto"},
    )
    return boto3.client("s3", endpoint_url=endpoint, config=config)


class S3Store:
    """An object store under a prefix of an S3 bucket."""

    def __init__(self, client: S3Client, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._require_bucket()

    def create(self, key: str, content: bytes) -> bool:
        """Create an object whole; False, and nothing changed, where the key is taken."""
        return self._put(key, content, {"IfNoneMatch": "*"})

    def replace(self, key: str, content: bytes, *, version: str) -> bool:
        """Replace the object if it still has `version` (its ETag); False where it has not."""
        return self._put(key, content, {"IfMatch": version})

    def read(self, key: str) -> bytes | None:
        """Return the object's bytes, or None where there is none."""
        found = self.read_versioned(key)
        return found[0] if found else None

    def read_versioned(self, key: str) -> tuple[bytes, str] | None:
        """Return the object's bytes and its ETag, or None where there is none."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)
            return answer["Body"].read(), answer["ETag"]
        except ClientError as error:
            if _code(error) in ABSENT:
                return None
            raise self._failed("read", key, error) from error
        except BotoCoreError as error:
            raise self._failed("read", key, error) from error

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the keys that start with `prefix`, sorted by their UTF-8 bytes."""
        pages = self._client.get_paginator("list_objects_v2")
        try:
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix):
                for entry in page.get("Contents", []):
                    yield entry["Key"].removeprefix(self._prefix)
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

    def _put(self, key: str, content: bytes, condition: dict[str, str]) -> bool:
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=self._prefix + key,
                Body=content,
                **condition,  # type: ignore[arg-type]
            )
        except ClientError as error:
            code = _code(error)
            if code in TAKEN or code in ABSENT:
                return False
            if code in RACED:
                log.info("a concurrent write of s3://%s/%s won", self._bucket, key)
                return False
            raise self._failed("write", key, error) from error
        except BotoCoreError as error:
            raise self._failed("write", key, error) from error
        return True

    def _require_bucket(self) -> None:
        try:
            self._client.head_bucket(Bucket=self._bucket)
        except (ClientError, BotoCoreError) as error:
            raise self._failed("open", "", error) from error

    def _failed(self, verb: str, key: str, error: ClientError | BotoCoreError) -> StorageError:
        where = f"s3://{self._bucket}/{self._prefix}{key}"
        if isinstance(error, NoCredentialsError):
            hint = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile or role."
            return StorageError("no AWS credentials were found", where=where, hint=hint)
        code = _code(error) if isinstance(error, ClientError) else type(error).__name__
        if code in REFUSED:
            hint = "Check the access key, its secret and its rights on the bucket."
            return StorageError(f"S3 refused to {verb} ({code})", where=where, hint=hint)
        if code in ("NoSuchBucket", "404"):
            hint = "Create it first, or correct lake.root."
            return StorageError(
                f"the bucket '{self._bucket}' does not exist", where=where, hint=hint
            )
        hint = "Check the address (AWS_ENDPOINT_URL) and the network, then run again: it goes on."
        return StorageError(f"S3 could not {verb} ({code}: {error})", where=where, hint=hint)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
