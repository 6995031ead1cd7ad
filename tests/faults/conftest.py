"""A server for each scenario, and the line of evidence that each one ends in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calls.vendor.sandbox import Sandbox
from tests.desk import Desk
from tests.server import running_server

from .scene import Scene

RING_SECONDS = 1800  # no call of a scenario may end by the clock


@pytest.fixture
def full(pytestconfig: pytest.Config) -> bool:
    """Whether the faults last as long as they do in earnest."""
    return bool(pytestconfig.getoption("--full"))


@pytest.fixture
def scene(tmp_path: Path, sandbox: Sandbox) -> Iterator[Scene]:
    with running_server(tmp_path) as server:
        desk = Desk(server, sandbox)
        [agent] = desk.staffed(1)
        server.manage("vendor_app", desk.app, "--ring-seconds", str(RING_SECONDS))
        desk.wait_for_ring_seconds(RING_SECONDS)
        yield Scene(desk, agent)


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Print a line of evidence, with the scenario's name."""
    name = request.node.name.removeprefix("test_").replace("_", " ")
    return lambda line: print(f"\n{name}: {line}")
