"""Settings: one name each, four places in a fixed order, and errors that help."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lake.errors import SettingsError
from lake.settings import ENVIRONMENTS, Settings, conf_folder, load_settings

CONF = Path(__file__).parents[2] / "conf"
#: design.md, chapter 3: these names are a contract.
CONTRACT = [
    "lake.root",
    *(
        f"exchanges.binance.{segment}.{address}"
        for segment in ("spot", "usdm", "coinm")
        for address in ("rest_url", "ws_url")
    ),
    "exchanges.binance.archive_url",
    "exchanges.deribit.rest_url",
    "exchanges.deribit.history_url",
    "exchanges.deribit.ws_url",
]
UNIVERSES = [
    *(f"universe.binance.{kind}" for kind in ("spot", "usdm", "coinm")),
    *(
        f"universe.deribit.{kind}"
        for kind in ("future", "option", "spot", "future_combo", "option_combo")
    ),
]


def load(
    env: str = "replay",
    *overrides: str,
    environ: dict[str, str] | None = None,
    conf: Path | None = None,
) -> Settings:
    return load_settings(env, overrides, conf=conf or CONF, environ=environ or {})


def at(settings: Settings, path: str) -> Any:
    value: Any = settings.model_dump()
    for part in path.split("."):
        value = value[part]
    return value


def variable(path: str) -> str:
    return "CANDLELAKE_" + path.upper().replace(".", "__")


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_each_environment_loads_from_its_own_files(env: str) -> None:
    assert load(env).env == env


def test_the_local_and_aws_environments_speak_to_the_real_exchanges_and_replay_does_not() -> None:
    assert load("local").exchanges.deribit.rest_url == "https://www.deribit.com"
    assert load("aws").lake.root.startswith("s3a://")
    assert load("replay").exchanges.deribit.rest_url == "replay"


def test_of_deribit_bitcoin_of_every_kind_is_taken_by_default() -> None:
    universe = load("local").universe["deribit"]

    kinds = {"future", "option", "spot", "future_combo", "option_combo"}
    assert {kind for kind, names in universe.items() if names} - {"index"} == kinds
    assert {name[:3] for kind in kinds for name in universe[kind]} == {"BTC"}


def test_each_place_stands_above_the_one_before(tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    shutil.copytree(CONF, conf)
    (conf / "replay.toml").write_text("[lake]\nregion = 'from env file'\n", encoding="utf-8")
    named = {"CANDLELAKE_LAKE__REGION": "from variable"}

    base = load(conf=conf)
    chosen = load("replay", "lake.region=first", "lake.region=last", environ=named, conf=conf)

    assert base.lake.root == "./data/lake"
    assert base.lake.region == "from env file"
    assert load(environ=named, conf=conf).lake.region == "from variable"
    assert chosen.lake.region == "last"
    assert chosen.lake.root == "./data/lake"


@pytest.mark.parametrize("path", CONTRACT)
def test_a_contract_name_is_set_by_variable_and_by_option(path: str) -> None:
    assert at(load(environ={variable(path): "there"}), path) == "there"
    assert at(load("replay", f"{path}=here=there"), path) == "here=there"


@pytest.mark.parametrize("path", UNIVERSES)
def test_a_universe_is_set_by_variable_and_by_option(path: str) -> None:
    assert at(load(environ={variable(path): "A-*,B"}), path) == ("A-*", "B")
    assert at(load("replay", f"{path}=A-*,B"), path) == ("A-*", "B")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("BTCUSDT", ("BTCUSDT",)),
        ("BTCUSDT, ETHUSDT ,", ("BTCUSDT", "ETHUSDT")),
        ('["a,b", "c"]', ("a,b", "c")),
        ("", ()),
        ("[]", ()),
    ],
)
def test_a_list_takes_names_parted_by_commas_or_toml(text: str, names: tuple[str, ...]) -> None:
    assert load("replay", f"universe.binance.spot={text}").universe["binance"]["spot"] == names


def test_a_universe_may_name_an_exchange_that_no_file_names() -> None:
    settings = load("replay", "universe.kraken.spot=XBTUSD,ETHUSD")

    assert settings.universe["kraken"] == {"spot": ("XBTUSD", "ETHUSD")}
    assert settings.universe["binance"]["spot"] == ("BTCUSDT",)


def test_an_api_key_is_in_no_file_and_can_be_given() -> None:
    assert load("local").exchanges.binance.usdm.api_key is None
    given = load("local", environ={"CANDLELAKE_EXCHANGES__BINANCE__USDM__API_KEY": "k3y-0f-m1ne"})
    key = given.exchanges.binance.usdm.api_key
    assert key is not None
    assert key.get_secret_value() == "k3y-0f-m1ne"
    assert given.exchanges.binance.spot.api_key is None


def test_an_api_key_shows_nowhere() -> None:
    given = load("replay", "exchanges.binance.usdm.api_key=k3y-0f-m1ne")
    again = Settings.model_validate(given.model_dump())

    for shown in (repr(given), str(given), str(given.model_dump()), given.model_dump_json()):
        assert "k3y-0f-m1ne" not in shown
    assert again == given


@pytest.mark.parametrize("key", ["k3y\n", " k3y", "k3y\r\nX-Other: 1", "schlüssel-k3y"])
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load("replay", f"exchanges.binance.usdm.api_key={key}")

    assert "exchanges.binance.usdm.api_key" in str(raised.value)
    assert "k3y" not in str(raised.value)


@pytest.mark.parametrize(
    ("override", "near"),
    [
        ("lake.rot=x", "lake.root"),
        ("laek.root=x", "lake"),
        ("exchanges.binnance.spot.rest_url=x", "exchanges.binance"),
        ("exchanges.binance.usdt.rest_url=x", "exchanges.binance.usdm"),
        ("exchanges.binance.sopt.api_key=x", "exchanges.binance.spot"),
        ("gold.grace_second=1", "gold.grace_seconds"),
    ],
)
def test_an_unknown_key_names_the_nearest_one(override: str, near: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load("replay", override)

    assert f"'{near}'" in str(raised.value)
    assert "unknown setting" in str(raised.value)
    assert raised.value.exit_code == 2


def test_an_unknown_variable_is_an_error_too() -> None:
    with pytest.raises(SettingsError, match=r"Did you mean 'lake\.root'\?"):
        load(environ={"CANDLELAKE_LAKE__ROOTS": "x"})


def test_an_unknown_key_in_a_file_names_the_nearest_one(tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    shutil.copytree(CONF, conf)
    (conf / "local.toml").write_text("[extract]\natempts = 3\n", encoding="utf-8")

    with pytest.raises(SettingsError, match=r"'extract\.atempts'.*'extract\.attempts'"):
        load("local", conf=conf)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("lake.lease_seconds=soon", "lake.lease_seconds"),
        ("lake.lease_seconds=0", "lake.lease_seconds"),
        ("gold.bar_intervals=1m,2m", "gold.bar_intervals"),
        ("lake.session_time_zone=America/New_York", "lake.session_time_zone"),
        ("lake=x", "lake"),
        ("lake.root.deeper=x", "lake.root.deeper"),
        ("universe.binance=BTCUSDT", "universe.binance"),
        ("universe.binance.spot=[unclosed", "[unclosed"),
        ("no-equals-sign", "path=value"),
        ("=x", "unknown setting"),
    ],
)
def test_a_value_that_cannot_be_is_one_settings_error(override: str, said: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load("replay", override)

    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 2


def test_an_unknown_environment_lists_the_known() -> None:
    with pytest.raises(SettingsError, match="replay, local, aws"):
        load("prod")


@pytest.mark.parametrize("content", [b"[lake\n", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes) -> None:
    conf = tmp_path / "conf"
    shutil.copytree(CONF, conf)
    (conf / "aws.toml").write_bytes(content)

    with pytest.raises(SettingsError, match=r"aws\.toml"):
        load("aws", conf=conf)


def test_a_missing_or_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"base\.toml does not exist"):
        load(conf=tmp_path)
    (tmp_path / "base.toml").mkdir()
    with pytest.raises(SettingsError, match=r"base\.toml can't be read"):
        load(conf=tmp_path)


def test_settings_never_change() -> None:
    settings = load()

    with pytest.raises(ValidationError):
        settings.lake = settings.lake
    with pytest.raises(ValidationError):
        settings.lake.root = "elsewhere"


def test_the_process_environment_is_not_read_where_variables_are_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CANDLELAKE_LAKE__ROOT", "/from/the/process")
    monkeypatch.setenv("LAKE__ROOT", "/from/the/process")
    monkeypatch.setenv("CANDLELAKE_CONF", "/nowhere")

    given = load_settings("replay", environ={})

    assert given.lake.root == "./data/replay"
    assert conf_folder({"CANDLELAKE_CONF": "/etc/candlelake"}) == Path("/etc/candlelake")


def test_the_process_environment_is_read_where_none_are_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CANDLELAKE_LAKE__ROOT", "/from/the/process")

    assert load_settings("replay", conf=CONF).lake.root == "/from/the/process"


@pytest.mark.parametrize("name", ["CONF", "ENV", "REQUIREMENTS"])
def test_the_front_doors_own_variables_are_no_settings(name: str) -> None:
    if name == "CONF":
        assert load_settings("replay", environ={"CANDLELAKE_CONF": str(CONF)}) == load()
    else:
        assert load(environ={f"CANDLELAKE_{name}": "dev"}) == load()


KRAKEN = "exchanges.kraken.ccxt=kraken"


def test_any_exchange_of_ccxt_is_one_table() -> None:
    settings = load("replay", KRAKEN, "universe.kraken.spot=BTC/USD,ETH/USD")

    kraken = settings.exchanges.others["kraken"]
    assert (kraken.ccxt, kraken.rest_url, kraken.requests_per_second) == ("kraken", "", None)
    assert settings.universe["kraken"]["spot"] == ("BTC/USD", "ETH/USD")
    assert load().exchanges.others == {}


def test_an_exchange_of_ccxt_comes_from_each_place(tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    shutil.copytree(CONF, conf)
    with (conf / "replay.toml").open("a", encoding="utf-8") as file:
        file.write('\n[exchanges.gate]\nccxt = "gate"\noptions = { defaultType = "spot" }\n')
    named = {
        "CANDLELAKE_EXCHANGES__KRAKEN__CCXT": "kraken",
        "CANDLELAKE_EXCHANGES__KRAKEN__REQUESTS_PER_SECOND": "3",
    }

    sets = ("exchanges.gate.rest_url=http://x", "exchanges.gate.options.fetchMarkets=spot")
    found = load("replay", *sets, environ=named, conf=conf).exchanges.others

    assert found["kraken"].requests_per_second == 3
    assert found["gate"].rest_url == "http://x"
    assert found["gate"].options == {"defaultType": "spot", "fetchMarkets": "spot"}


@pytest.mark.parametrize(
    ("sets", "fault"),
    [
        (["exchanges.binnce.spot.rest_url=x"], "Did you mean 'exchanges.binance'"),
        (["exchanges.krakn.rest_url=x"], "unknown setting 'exchanges.krakn'"),
        ([KRAKEN, "exchanges.kraken.rest_ulr=x"], "unknown setting 'exchanges.kraken.rest_ulr'"),
        ([KRAKEN, "exchanges.kraken.requests_per_second=0"], "greater than 0"),
        (["exchanges.kraken.ccxt="], "'exchanges.kraken.ccxt'"),
    ],
)
def test_a_mistyped_exchange_is_an_error_that_names_the_nearest(
    sets: list[str], fault: str
) -> None:
    with pytest.raises(SettingsError, match=fault):
        load("replay", *sets)


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ('[exchanges.binnce]\nrest_url = "x"', "Did you mean 'exchanges.binance'"),
        (
            '[exchanges.kraken]\nccxt = "kraken"\nrest_ulr = "x"',
            "Did you mean 'exchanges.kraken.rest_url'",
        ),
    ],
)
def test_a_mistyped_table_of_a_file_is_an_error_that_names_the_nearest(
    tmp_path: Path, table: str, fault: str
) -> None:
    conf = tmp_path / "conf"
    shutil.copytree(CONF, conf)
    with (conf / "replay.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n{table}\n")

    with pytest.raises(SettingsError, match=fault):
        load(conf=conf)
