"""A Redis server that a scenario stops, halts and fills."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import redis

from bench.redis import binary
from tests.server import free_port
from tests.waiting import eventually


class Redis:
    def __init__(self, log: Path, addresses: Sequence[str] = ("127.0.0.1",)) -> None:
        self._addresses = addresses
        self.port = free_port()
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, socket_timeout=2)

    def start(self) -> None:
        options = ["--bind", *self._addresses, "--port", str(self.port), "--save", "", "--appendonly", "no"]
        options += ["--protected-mode", "no"]  # without a password it would take nobody from elsewhere
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([binary(), *options], cwd="/", stdout=log, stderr=log, start_new_session=True)
        eventually(self._is_ready)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @contextmanager
    def halted(self) -> Iterator[None]:
        """It doesn't go on; the system still takes what it is sent, and connections."""
        assert self._process is not None
        process = psutil.Process(self._process.pid)
        process.suspend()
        try:
            yield
        finally:
            process.resume()

    @contextmanager
    def full(self) -> Iterator[None]:
        """It has no memory left for anything that is to be kept, and throws nothing out."""
        with self.client() as client:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", "1mb")
            try:
                for number in range(100_000):
                    client.set(f"key {number}", "x" * 1000)
            except redis.OutOfMemoryError:
                yield
            finally:
                client.config_set("maxmemory", "0")

    def _is_ready(self) -> bool:
        with self.client() as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False
