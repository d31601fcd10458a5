from __future__ import annotations

import hashlib
from xml.etree import ElementTree as ET

from extract.replay.recordings import DIRECTORY
from tests.replay.asking import Asking

FOLDER = "data/spot/daily/aggTrades/BTCUSDT/"
NAME = "BTCUSDT-aggTrades-2024-01-01.zip"
NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def texts(document: str, tag: str) -> list[str | None]:
    return [found.text for found in ET.fromstring(document).iter(f"{NAMESPACE}{tag}")]  # noqa: S314


def test_archive_file_comes_byte_for_byte(ask: Asking) -> None:
    response = ask.get(f"{ask.urls.archive}/{FOLDER}{NAME}")

    assert response.content == (DIRECTORY / NAME).read_bytes()
    assert response.headers["Content-Length"] == "11902789"


def test_checksum_is_of_the_file(ask: Asking) -> None:
    response = ask.get(f"{ask.urls.archive}/{FOLDER}{NAME}.CHECKSUM")

    digest = hashlib.sha256((DIRECTORY / NAME).read_bytes()).hexdigest()
    assert response.text == f"{digest}  {NAME}\n"


def test_part_of_a_day_is_no_archive_file(ask: Asking) -> None:
    response = ask.get(f"{ask.urls.archive}/{FOLDER}BTCUSDT-aggTrades-2025-09-01.zip")

    assert response.status_code == 404
    assert "<Code>NoSuchKey</Code>" in response.text


def test_listing_shows_folders_and_files(ask: Asking) -> None:
    folders = ask.get(ask.urls.archive, prefix="data/spot/daily/", delimiter="/").text
    files = ask.get(ask.urls.archive, prefix=FOLDER, delimiter="/").text

    assert texts(folders, "Prefix") == ["data/spot/daily/", "data/spot/daily/aggTrades/"]
    assert texts(files, "Key") == [f"{FOLDER}{NAME}", f"{FOLDER}{NAME}.CHECKSUM"]
    assert texts(files, "Size")[0] == "11902789"
