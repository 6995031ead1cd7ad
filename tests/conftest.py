"""What tests share. No test reaches beyond this machine: pytest-socket refuses any other address (see pyproject.toml)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.core.cache import cache
from django.db import connection
from pytest_django import Settings

from bench import history, postgres
from bench.postgres import Postgres
from calls.vendor.sandbox import Sandbox

from .desk import Desk
from .server import Server, running_server


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="let the faults last as long as they do in earnest")


@pytest.fixture(autouse=True)
def empty_channel_layer() -> Iterator[None]:
    """Members of groups would survive from test to test."""
    yield
    async_to_sync(get_channel_layer().flush)()


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    """What is remembered for a while would survive from test to test."""
    yield
    cache.clear()


@pytest.fixture
def sqlite_alone() -> None:
    """For what there is on SQLite only, and is to be seen in its file or its tables."""
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL has nothing of the kind")


@pytest.fixture
def own_data_folder(settings: Settings, tmp_path: Path) -> Path:
    """For a spool that no other test sees."""
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections made from now on wait for a locked database only shortly."""
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.2)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """The vendor's side, on loopback."""
    with Sandbox() as vendor:
        yield vendor


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgres]:
    """A PostgreSQL server with no database of ours yet."""
    with history.data_folder() as folder, postgres.running(folder / "postgresql") as running:
        yield running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The real server, for all tests that need one; each makes people and accounts of its own there."""
    with running_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def desk(server: Server, sandbox: Sandbox) -> Desk:
    return Desk(server, sandbox)
