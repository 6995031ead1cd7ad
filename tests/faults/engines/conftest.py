"""A server for each scenario, on engines of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.history import data_folder
from calls.vendor.sandbox import Sandbox
from tests.databases import Postgresql
from tests.faults.scene import Scene
from tests.server import Server, running_server

from .postgresql import Node, new_primary


class OnPostgresql(Server):
    """A server whose database is, or has come to be, on this node."""

    node: Node

    @property
    def database(self) -> Postgresql:
        return Postgresql(self.node.url)


@contextmanager
def scene_on(node: Node, address: str, folder: Path, vendor: Sandbox, **environment: str) -> Iterator[Scene]:
    """A server that is told this address of its database, and a node to ask what is in it."""
    with running_server(folder, DATABASE_URL=address, **environment) as started:
        server = OnPostgresql(started.folder, started.port, started.environment)
        server.process, server.node = started.process, node
        try:
            yield Scene.at(server, vendor)
        finally:
            server.stop()


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that PostgreSQL can read, whoever runs it."""
    with data_folder() as made:
        yield made


@pytest.fixture
def primary(folder: Path) -> Iterator[Node]:
    node = new_primary(folder / "primary")
    try:
        yield node
    finally:
        node.kill()
