"""Clusters for tests: two hosts behind nginx, and one host with two processes. Each is left as it was found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.history import data_folder
from calls.vendor.sandbox import Sandbox
from tests.desk import Desk
from tests.faults.engines.postgresql import Node, new_primary
from tests.faults.engines.redis import Redis
from tests.server import free_port

from . import nginx
from .hosts import Front, Host, environment_of
from .network import Place, network


@dataclass
class Cluster:
    front: Front
    hosts: list[Host]
    vendor: Sandbox
    postgres: Node
    redis: Redis

    def desk(self, agents: int = 1) -> tuple[Desk, list[str]]:
        """A desk of a test's own, and its agents. Calls at it ring for long."""
        self.vendor.rejects.clear()
        self.vendor.tokens.clear()
        desk = Desk(self.front, self.vendor)
        self.front.manage("vendor_app", desk.app, "--ring-seconds", "1800")
        return desk, desk.staffed(agents)


@contextmanager
def cluster_of(folder: Path, hosts: int, workers: int) -> Iterator[Cluster]:
    with ExitStack() as stack:
        places = stack.enter_context(network(hosts))
        addresses = list(dict.fromkeys(["127.0.0.1", places[0].gateway]))
        postgres = new_primary(folder / "postgresql", addresses)
        stack.callback(postgres.stop)
        for number in range(1, hosts + 1):
            postgres.sql(f"CREATE ROLE host{number} SUPERUSER LOGIN")
        redis = Redis(folder / "redis.log", addresses)
        redis.start()
        stack.callback(redis.stop)
        vendor = stack.enter_context(Sandbox(host=places[0].gateway))
        ports = [free_port() for _ in places]
        running = [
            _host(place, port, _made(folder / f"host{number}"), postgres, redis, f"host{number}", workers)
            for number, (place, port) in enumerate(zip(places, ports, strict=True), start=1)
        ]
        front = _front(running[0], _made(folder / "front"))
        stack.callback(front.end_commands)
        direct = [place.reached_at for place in places]
        stack.enter_context(nginx.running(_made(folder / "nginx"), front.port, direct, ports))
        for host in running:
            stack.callback(host.stop)
            host.environment["PUBLIC_URL"] = front.url
            host.start(wait=False)
        for host in running:
            host.wait_until_ready()
        yield Cluster(front, running, vendor, postgres, redis)


def _host(place: Place, port: int, folder: Path, postgres: Node, redis: Redis, role: str, workers: int) -> Host:
    environment = environment_of(place, folder, postgres, redis, role, workers)
    return Host(folder, port, environment, place=place, role=role, postgres=postgres, redis=redis)


def _front(of: Host, folder: Path) -> Front:
    """Commands are run on this machine, where the engines are on loopback."""
    environment = of.environment | {
        "DATA_DIR": str(folder),
        "DATABASE_URL": of.postgres.url,
        "REDIS_URL": f"redis://127.0.0.1:{of.redis.port}/0",
        "BIND": f"127.0.0.1:{free_port()}",
    }
    return Front(folder, free_port(), environment, postgres=of.postgres, redis=of.redis)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def two_hosts() -> Iterator[Cluster]:
    with data_folder() as folder, cluster_of(folder, hosts=2, workers=1) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def two_processes() -> Iterator[Cluster]:
    with data_folder() as folder, cluster_of(folder, hosts=1, workers=2) as cluster:
        yield cluster
