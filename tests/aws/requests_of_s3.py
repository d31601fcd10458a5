"""What was asked of an S3 server, by its requests: Spark's own client is none that we can record.

A proxy before the server passes everything on and writes down what S3 calls each request.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.s3.faulty_proxy import Handler, faulty_proxy

#: What a request of a bucket or of an object is, by its method and what its query names.
OF_BUCKETS = {("GET", "list-type"): "ListObjectsV2", ("HEAD", ""): "HeadBucket"}
OF_OBJECTS = {
    ("GET", ""): "GetObject",
    ("HEAD", ""): "HeadObject",
    ("PUT", ""): "PutObject",
    ("DELETE", ""): "DeleteObject",
    ("POST", "uploads"): "CreateMultipartUpload",
    ("PUT", "uploadId"): "UploadPart",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
}
TELLING = ("list-type", "uploads", "uploadId")
Calls = list[dict[str, str]]


def calls_of(method: str, target: str, body: bytes = b"") -> Calls:
    """Return the calls that a request is: one, or one a key where many are deleted at once."""
    address = urlsplit(target)
    query = parse_qs(address.query, keep_blank_values=True)
    bucket, _, key = unquote(address.path.lstrip("/")).partition("/")
    common = {"service": "s3", "Bucket": bucket}
    if method == "POST" and "delete" in query:
        keys = re.findall(r"<Key>(.*?)</Key>", body.decode())
        return [{**common, "operation": "DeleteObjects", "Key": one} for one in keys]
    what = next((one for one in TELLING if one in query), "")
    if key:
        return [{**common, "operation": OF_OBJECTS[method, what], "Key": key}]
    prefix = query.get("prefix", [""])[0]
    return [{**common, "operation": OF_BUCKETS[method, what], "Prefix": prefix}]


@contextmanager
def recorded(backend: str) -> Iterator[tuple[str, Calls]]:
    """Run the proxy before a server; give its address, and the calls as they come."""
    calls: Calls = []

    class Recorder(Handler):
        def _pass_on(self, **words: Any) -> None:
            self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            connection, self.rfile = self.rfile, io.BytesIO(self.body)
            super()._pass_on(**words)
            self.rfile = connection

        def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            missing = {"Missing": "yes"} if status == HTTPStatus.NOT_FOUND else {}
            calls.extend({**one, **missing} for one in calls_of(self.command, self.path, self.body))
            super()._answer(status, headers, content)

    with faulty_proxy(backend, Recorder) as proxy:
        yield proxy.endpoint, calls
