"""What tests share. No test reaches beyond this machine: pytest-socket refuses any other address (see pyproject.toml)."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from pytest_django import Settings

from bench import history, postgres
from bench.postgres import Postgres
from calls.vendor.sandbox import Sandbox

from .databases import wait_for_locks
from .desk import Desk
from .server import Server, running_server

# How long an example takes says something of the machine, and nothing of what is tested.
hypothesis.settings.register_profile("unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("unhurried")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="let the faults last as long as they do in earnest")
    parser.addoption("--take", action="store_true", help="take the pictures of pages anew")


def pytest_configure() -> None:
    # Static files are looked for once they are asked for, not all of them by each of thousands of test clients.
    settings.WHITENOISE_AUTOREFRESH = True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the engines of this run don't have, or what the run on SQLite has shown already."""
    left_out = {"postgresql_only"} if settings.ON_SQLITE else {"sqlite_only", "engineless"}
    run: list[pytest.Item] = []
    not_run: list[pytest.Item] = []
    for item in items:
        (not_run if left_out.intersection(mark.name for mark in item.iter_markers()) else run).append(item)
    config.hook.pytest_deselected(items=not_run)
    items[:] = run


def pytest_xdist_auto_num_workers() -> int:
    """More than cores, since many tests wait for what comes by itself."""
    return 2 * len(os.sched_getaffinity(0))


@pytest.fixture(scope="session", autouse=True)
def tables_are_emptied_row_by_row() -> None:
    """After each test that commits. PostgreSQL's TRUNCATE would make the files of each table and index anew."""
    if not settings.ON_SQLITE:
        name = connection.ops.quote_name
        connection.ops.sql_flush = lambda style, tables, **_: [f"DELETE FROM {name(table)}" for table in tables]  # type: ignore[method-assign]  # noqa: S608


@pytest.fixture(scope="session", autouse=True)
def own_channel_layer(worker_id: str) -> None:
    """Processes that run tests at the same time share a Redis, and don't hear each other."""
    if settings.REDIS_URL:
        config: Any = settings.CHANNEL_LAYERS["default"]["CONFIG"]
        config["prefix"] = f"tests-{worker_id}"


@pytest.fixture(autouse=True)
def no_connection_left() -> Iterator[None]:
    """Threads end without closing theirs, and those of pools wait with one open. Threads with a name, which is told for what
    they go on doing, close theirs themselves; it may be in use."""
    made: list[tuple[threading.Thread, BaseDatabaseWrapper]] = []

    def note(sender: type[BaseDatabaseWrapper], connection: BaseDatabaseWrapper, **_: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            made.append((threading.current_thread(), connection))

    connection_created.connect(note)
    yield
    connection_created.disconnect(note)
    for thread, left in made:
        if not thread.is_alive() or thread.name.startswith("ThreadPoolExecutor"):
            left.inc_thread_sharing()
            left.close()
            left.dec_thread_sharing()


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
def own_data_folder(settings: Settings, tmp_path: Path) -> Path:
    """For a spool that no other test sees."""
    settings.DATA_DIR = tmp_path
    settings.EXPORT_DIR = tmp_path / "exports"
    return tmp_path


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections made from now on wait for a locked database only shortly."""
    wait_for_locks(0.1, monkeypatch)


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
