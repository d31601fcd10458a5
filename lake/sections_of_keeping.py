"""The settings of keeping a lake: maintenance, what is promised of its data, and its room."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from lake.setting_sections import Section


class Maintenance(Section):
    """When files are written anew, and how long what they replace is kept (bytes, seconds, days).

    A week is the least: readers, and consumers of a change feed, may be away for so long.
    """

    small_file_bytes: int = Field(gt=0)
    target_file_bytes: int = Field(gt=0)
    piece_bytes: int = Field(gt=0)
    open_files: int = Field(ge=2)
    closed_seconds: int = Field(ge=0)
    wait_seconds: int = Field(ge=0)
    keep_files_days: int = Field(ge=7)
    keep_log_days: int = Field(ge=7)

    @model_validator(mode="after")
    def _makes_an_end(self) -> Self:
        """Refuse sizes that would have files written anew at each run, and a log without files."""
        if self.target_file_bytes < 4 * self.small_file_bytes:
            raise ValueError("target_file_bytes has to be at least 4 times small_file_bytes")
        if self.keep_log_days < self.keep_files_days:
            raise ValueError("keep_log_days has to be at least keep_files_days")
        return self


class Level(Section):
    """What is promised of a dataset; 0 is no promise.

    Attributes:
        fresh_seconds: how long ago an instrument may be complete until.
        complete_share: how much of its ids, or of its candles, is held or proved complete.
        bytes_per_million_rows: what they take in their table.
        requests_per_million_rows: what rows cost that were asked for.
    """

    fresh_seconds: float = Field(ge=0)
    complete_share: float = Field(ge=0, le=1)
    bytes_per_million_rows: int = Field(ge=0)
    requests_per_million_rows: int = Field(ge=0)


class Levels(Section):
    """What is promised of each dataset, and of runs, over so many days; 0 days are all."""

    window_days: int = Field(ge=0)
    run_seconds_per_million_rows: float = Field(ge=0)
    trades: Level
    agg_trades: Level
    candles: Level


class Room(Section):
    """How much room a run leaves (bytes): of the disk, and of what the lake may hold; 0 is any."""

    free_bytes: int = Field(ge=0)
    quota_bytes: int = Field(ge=0)
