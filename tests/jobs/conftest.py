"""A lake of its own for each room of tests, with all tables and nothing in them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.context import Context
from lake.clock import SystemClock
from lake.objects import open_store
from lake.settings import load_settings
from lake.storage import Tables
from lake.tables import TABLES

OpenLake = Callable[..., Context]


def context_of(spark: SparkSession, root: Path, *overrides: str) -> Context:
    settings = load_settings("replay", [f"lake.root={root}", *overrides])
    store = open_store(settings.lake.root)
    return Context(settings, store, SystemClock(), "run", spark, Tables(spark, store))


@pytest.fixture(scope="session")
def empty_tables(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All tables, empty: made once, since each takes half a second, and copied."""
    root = tmp_path_factory.mktemp("empty") / "lake"
    context_of(spark, root).tables.ensure(*TABLES.values())
    return root


@pytest.fixture(scope="session")
def open_lake(
    spark: SparkSession, empty_tables: Path, tmp_path_factory: pytest.TempPathFactory
) -> OpenLake:
    """Return what opens a new lake with empty tables, its settings changed by `overrides`."""

    def opened(*overrides: str) -> Context:
        root = tmp_path_factory.mktemp("lake") / "lake"
        shutil.copytree(empty_tables, root)
        return context_of(spark, root, *overrides)

    return opened
