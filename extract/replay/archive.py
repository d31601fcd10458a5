"""Answers Binance's bulk archive: a recorded file byte for byte, generated ones, the listing."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from xml.sax.saxutils import escape

from extract.replay.answer import Answer, Query
from extract.replay.perpetual_archive import zips
from extract.replay.recordings import DAY_ARCHIVE

XML = "application/xml"
ZIP_KEY = f"data/spot/daily/aggTrades/BTCUSDT/{DAY_ARCHIVE.file}"
# What the archive said of this file is not recorded; its rows were zipped at this moment.
PUBLISHED_HTTP = "Tue, 02 Jan 2024 01:07:00 GMT"
PUBLISHED_ISO = "2024-01-02T01:07:00.000Z"


class Archive:
    """The bucket: one whole recorded day, because only a whole file is what was published.

    Beside it lie the generated perpetuals' funding rates and mark bars, marked as generated.
    """

    def __init__(self, directory: Path, seed: int) -> None:
        self._directory = directory
        self._seed = seed

    def answer(self, query: Query) -> Answer:
        """Answer an object's bytes, or the bucket's listing."""
        key = query.path.lstrip("/")
        if not key:
            return self._listing(query)
        if key not in self._objects:
            body = f"<Error><Code>NoSuchKey</Code><Key>{escape(key)}</Key></Error>"
            return Answer(_xml(body), 404, XML)
        body_bytes = self._objects[key]
        kind = "application/zip" if key.endswith(".zip") else "binary/octet-stream"
        headers = {"ETag": f'"{_md5(body_bytes)}"', "Last-Modified": PUBLISHED_HTTP}
        if not key.startswith(ZIP_KEY):
            headers["X-Replay-Generated"] = f"seed={self._seed}"
        return Answer(body_bytes, 200, kind, headers)

    @cached_property
    def _objects(self) -> dict[str, bytes]:
        recorded = (self._directory / DAY_ARCHIVE.file).read_bytes()
        found = {ZIP_KEY: recorded, **dict(zips(self._seed))}
        return found | {f"{key}.CHECKSUM": _checksum(key, body) for key, body in found.items()}

    def _listing(self, query: Query) -> Answer:
        """Return S3's `ListBucketResult` for `prefix` and `delimiter`; all keys fit in one page."""
        prefix = query.parameters.get("prefix", "")
        delimiter = query.parameters.get("delimiter", "")
        keys = [key for key in sorted(self._objects) if key.startswith(prefix)]
        folders = sorted({_folder(key, prefix, delimiter) for key in keys} - {""})
        files = [key for key in keys if not _folder(key, prefix, delimiter)]
        parts = [self._contents(key) for key in files]
        parts += [f"<CommonPrefixes><Prefix>{escape(f)}</Prefix></CommonPrefixes>" for f in folders]
        head = f"<Name>data.binance.vision</Name><Prefix>{escape(prefix)}</Prefix>"
        head += "<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>"
        namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
        body = f'<ListBucketResult xmlns="{namespace}">{head}{"".join(parts)}</ListBucketResult>'
        return Answer(_xml(body), 200, XML)

    def _contents(self, key: str) -> str:
        body = self._objects[key]
        return (
            f"<Contents><Key>{key}</Key><LastModified>{PUBLISHED_ISO}</LastModified>"
            f"<ETag>&quot;{_md5(body)}&quot;</ETag><Size>{len(body)}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
        )


def _checksum(key: str, body: bytes) -> bytes:
    return f"{hashlib.sha256(body).hexdigest()}  {key.rpartition('/')[2]}\n".encode()


def _folder(key: str, prefix: str, delimiter: str) -> str:
    rest = key[len(prefix) :]
    if not delimiter or delimiter not in rest:
        return ""
    return prefix + rest.split(delimiter)[0] + delimiter


def _md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def _xml(body: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode()
