"""A server for each scenario, and the line of evidence that each one ends in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calls.vendor.sandbox import Sandbox
from tests.server import running_server

from .scene import Scene


@pytest.fixture
def full(pytestconfig: pytest.Config) -> bool:
    """Whether the faults last as long as they do in earnest."""
    return bool(pytestconfig.getoption("--full"))


@pytest.fixture
def scene(tmp_path: Path, sandbox: Sandbox) -> Iterator[Scene]:
    with running_server(tmp_path) as server:
        yield Scene.at(server, sandbox)


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Print a line of evidence, with the scenario's name."""
    name = request.node.name.removeprefix("test_").replace("_", " ")
    return lambda line: print(f"\n{name}: {line}")
