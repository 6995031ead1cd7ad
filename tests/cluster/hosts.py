"""Hosts of a cluster: real servers, each with a data folder of its own, on one PostgreSQL and one Redis."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

from tests.databases import Postgresql
from tests.faults.engines.postgresql import DATABASE, Node
from tests.faults.engines.redis import Redis
from tests.installation import ROOT
from tests.server import READY_WITHIN, Server
from tests.waiting import eventually

from .network import Place

SECRET_KEY = "one for all hosts"


@dataclass(kw_only=True)
class Front(Server):
    """The whole cluster, as it is reached: by a proxy on this port of loopback. Commands beside it see its database."""

    postgres: Node
    redis: Redis

    @property
    def database(self) -> Postgresql:
        return Postgresql(self.postgres.url)


@dataclass(kw_only=True)
class Host(Front):
    """One host. The port is that of a way to it that is always there."""

    place: Place
    role: str

    @contextmanager
    def without_database(self) -> Iterator[None]:
        """It alone loses PostgreSQL, and is refused there."""
        self.sql(f"ALTER ROLE {self.role} NOLOGIN")
        self.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ?", self.role)
        try:
            yield
        finally:
            self.sql(f"ALTER ROLE {self.role} LOGIN")

    def start(self, wait: bool = True) -> None:
        with (self.folder / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                self.place.command(sys.executable, "manage.py", "serve"),
                cwd=ROOT, env=self.environment, stdout=log, stderr=log, text=True,
            )  # fmt: skip
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        eventually(self.is_ready, within=READY_WITHIN)

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).ok
        except requests.RequestException:
            return False

    def workers(self) -> list[int]:
        """The processes that serve, where it has several."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):  # it has just ended
                if any("spawn_main" in word for word in child.cmdline()):
                    found.append(child.pid)
        return sorted(found)

    @contextmanager
    def alone(self, worker: int) -> Iterator[None]:
        """New connections go to this process. Left to the system, they may all go to another one."""
        others = [other for other in self.workers() if other != worker]
        for other in others:
            os.kill(other, signal.SIGSTOP)
        try:
            yield
        finally:
            for other in others:
                os.kill(other, signal.SIGCONT)

    def replace_workers(self) -> None:
        """One by one, until all of them were."""
        before = set(self.workers())
        self.process.send_signal(signal.SIGHUP)
        eventually(lambda: not before & set(now := self.workers()) and len(now) == len(before), within=READY_WITHIN)

    def stopped(self) -> int:
        """Stop it in order; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


def environment_of(place: Place, folder: Path, postgres: Node, redis: Redis, role: str, workers: int) -> dict[str, str]:
    """role: as whom it signs in at PostgreSQL."""
    database, layer = place.engine_at(postgres.port), place.engine_at(redis.port)
    return {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATA_DIR": str(folder),
        "BIND": place.bind,
        "LOOK_UP_CONTACTS": "false",  # what tests find at the vendor is what they asked for
        "DATABASE_URL": f"postgres://{role}@{database}/{DATABASE}",
        "REDIS_URL": f"redis://{layer}/0",
        "SECRET_KEY": SECRET_KEY,
        "WORKERS": str(workers),
        "FORWARDED_ALLOW_IPS": place.gateway,
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "error::RuntimeWarning",
        # Nothing listens there: whatever the server might ask of another machine than these fails.
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": f"127.0.0.1,{place.gateway}",
    }
