"""The plan's tables are what its script reckons, from the numbers that stand in its TOML."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from bench import scale


def test_the_document_is_what_the_script_writes() -> None:
    text = scale.DOCUMENT.read_text(encoding="utf-8")

    assert scale.written(text, scale.numbers()) == text, "run python -m bench.scale --write"


def test_other_prices_make_another_document(tmp_path: Path) -> None:
    text = scale.NUMBERS.read_text(encoding="utf-8")
    dear = tmp_path / "dear.toml"
    dear.write_text(text.replace('value = "0.023"', 'value = "0.23"'), encoding="utf-8")

    document = scale.DOCUMENT.read_text(encoding="utf-8")
    assert scale.written(document, scale.numbers(dear)) != document


def test_every_number_has_its_source() -> None:
    told = tomllib.loads(scale.NUMBERS.read_text(encoding="utf-8"))

    for group in ("price", "measured", "assumed", "kind"):
        assert all(one["source"].strip() for one in told[group])
    for group in ("price", "measured", "assumed"):
        assert all(Decimal(one["value"]) > 0 for one in told[group])


@pytest.fixture
def numbers() -> scale.Numbers:
    kind = scale.Kind("Binance spot", 10, 4, 2000, 3_000_000, 864_000, 1000, 0)
    told = scale.numbers()
    return scale.Numbers(told.price, told.of, [kind])


def test_the_arithmetic_by_hand(numbers: scale.Numbers) -> None:
    history = list(scale.history(numbers))[1]
    assert history[1:5] == ("10", "0.0 billion", "3,000", "3.0")

    once = list(scale.once(numbers))[1]
    # 3 million rows at 12,282 a second and core; 60 files of bronze and 2,000 of silver
    assert (once[1], once[4]) == ("0", "2,000")
    live = list(scale.live(numbers))[1]
    # 10 rows a second, 600 a pass: 2 of 4 instruments are touched, 1,440 passes, two collectors
    assert live[2:4] == ("10", "2")
    assert live[5] == f"{2 * 1440 + 2 * 8640:,}"


def test_ids_that_were_seen_are_carried_on() -> None:
    (spot,) = [kind for kind in scale.numbers().kinds if kind.name == "Binance spot"]
    a_day = Decimal(3_664_796_852 - 2_807_759_891) / 609

    assert spot.rows_day == int(a_day / Decimal("0.06"))
    assert spot.rows == int((3_664_796_852 + a_day * 454) / Decimal("0.06"))
