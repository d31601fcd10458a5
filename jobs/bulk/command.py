"""`candlelake extract bulk`: scheduled extraction in the vocabulary that data teams know."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from jobs.bulk.missing import require_nothing
from jobs.bulk.request import Labels, Wanted, understood
from jobs.bulk.run import run
from jobs.context import open_lake
from jobs.options import Env, Sets
from lake.settings import load_settings

#: What boto3 prefers to a profile, though a profile that is named here is meant.
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")

StartTimestamp = Annotated[
    str, typer.Option("--start-timestamp", help="ISO 8601 or UNIX ms; included.")
]
EndTimestamp = Annotated[
    str, typer.Option("--end-timestamp", help="ISO 8601 or UNIX ms; excluded.")
]
DataType = Annotated[str, typer.Option("--data-type", help="ohlcv or trades.")]
Vendor = Annotated[str, typer.Option("--vendor", help="ccxt.")]
ExchangeId = Annotated[str, typer.Option("--exchange-id", help="binance, or one of conf/'s.")]
Kind = Annotated[str | None, typer.Option("--kind", help="spot, usdm or coinm.")]
ContractType = Annotated[
    str | None, typer.Option("--contract-type", help="spot, or futures with --kind.")
]
Version = Annotated[str, typer.Option("--universe", help="A version in conf/universes/.")]
Profile = Annotated[str | None, typer.Option("--aws-profile", help="The AWS profile of this run.")]
Assertion = Annotated[
    bool, typer.Option("--assert-on-missing-data", help="Fail with what is missing.")
]
Root = Annotated[
    str | None, typer.Option("--s3-path", help="Where to: s3a://bucket/path, or a folder.")
]
DataFormat = Annotated[
    str | None, typer.Option("--data-format", help="parquet or csv, beside bronze.")
]
DownloadMode = Annotated[str, typer.Option("--download-mode", help="A label.")]
DownloadingEntity = Annotated[str, typer.Option("--downloading-entity", help="A label.")]
ActionTag = Annotated[str, typer.Option("--action-tag", help="A label.")]


def bulk(
    *,
    start_timestamp: StartTimestamp,
    end_timestamp: EndTimestamp,
    data_type: DataType,
    vendor: Vendor = "ccxt",
    exchange_id: ExchangeId = "binance",
    kind: Kind = None,
    contract_type: ContractType = None,
    universe: Version = "v1",
    aws_profile: Profile = None,
    assert_on_missing_data: Assertion = False,
    s3_path: Root = None,
    data_format: DataFormat = None,
    download_mode: DownloadMode = "",
    downloading_entity: DownloadingEntity = "",
    action_tag: ActionTag = "",
    env: Env = "replay",
    sets: Sets = None,
) -> None:
    """Land a window of a universe, for schedules: nothing is asked, and labels are kept.

    Example: candlelake extract bulk --start-timestamp 2025-09-01T00:00:00Z --end-timestamp
    2025-09-01T00:05:00Z --data-type trades --contract-type spot --data-format csv
    """
    times = (start_timestamp, end_timestamp)
    wanted = Wanted(
        vendor, exchange_id, kind, contract_type, universe, data_type, data_format, *times
    )
    overrides = [*(sets or ()), *([f"lake.root={s3_path}"] if s3_path else ())]
    request = understood(wanted, load_settings(env, overrides).exchanges.others)
    use_profile(aws_profile)
    lake = open_lake(env, overrides)
    done = run(lake, request, Labels(download_mode, downloading_entity, action_tag))
    if assert_on_missing_data:
        require_nothing(done.absent)
    done.require_anything()
    outcome = done.outcome
    typer.echo(
        f"files={outcome.files} rows={outcome.rows} exports={len(outcome.exports)}"
        f" missing={outcome.missing_parts}"
    )


def use_profile(name: str | None) -> None:
    """Make S3 be asked with this profile; None leaves everything as it is."""
    if name is None:
        return
    os.environ["AWS_PROFILE"] = name
    for variable in KEYS:
        os.environ.pop(variable, None)
