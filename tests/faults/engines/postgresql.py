"""PostgreSQL servers that a scenario stops, kills, halts and promotes."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
import psycopg

from bench.postgres import binary, user_of_server
from tests.server import free_port
from tests.waiting import eventually

LOOPBACK = "127.0.0.1"
USER = "ringdesk"
DATABASE = "ringdesk"
READY_WITHIN = 30.0  # seconds
SETTINGS = {
    "unix_socket_directories": "",
    "fsync": "off",  # processes are killed here, and no machine loses its power
    "max_connections": "60",
}


class Node:
    """One server with its data in this folder; not started yet."""

    def __init__(self, folder: Path, addresses: Sequence[str] = (LOOPBACK,)) -> None:
        self.folder = folder
        self._addresses = addresses
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgres://{USER}@{LOOPBACK}:{self.port}/{DATABASE}"

    def start(self, wait: bool = True, **settings: str) -> None:
        settings = SETTINGS | {"listen_addresses": ",".join(self._addresses)} | settings
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [binary("postgres"), "-D", str(self.folder), "-p", str(self.port), *words],
                user=user_of_server(), cwd="/", stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        if wait:
            eventually(self.is_ready, READY_WITHIN)

    def is_ready(self) -> bool:
        try:
            self.sql("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: everybody is hung up on, in order. SIGQUIT: at once, and the next start has to recover."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(READY_WITHIN)
            self._process = None

    def kill(self) -> None:
        """As when its machine is gone."""
        for process in self._processes():
            process.kill()
        if self._process is not None:
            self._process.wait(READY_WITHIN)
            self._process = None

    @contextmanager
    def halted(self) -> Iterator[None]:
        """None of its processes goes on; the system still takes what it is sent, and connections."""
        halted = self._processes()
        for process in halted:
            process.suspend()
        try:
            yield
        finally:
            for process in halted:
                with suppress(psutil.NoSuchProcess):  # it ends where its client has, as soon as it goes on
                    process.resume()

    def promote(self) -> None:
        self.sql("SELECT pg_promote()", database="postgres")

    def sql(self, statement: str, values: Sequence[object] = (), database: str = DATABASE) -> list[tuple[object, ...]]:
        address = self.url.removesuffix(DATABASE) + database
        with closing(psycopg.connect(address, autocommit=True, connect_timeout=3, options="-c timezone=UTC")) as connection:
            done = connection.execute(statement, values)
            return done.fetchall() if done.description else []

    def _processes(self) -> list[psutil.Process]:
        """The one that takes connections first, so that it starts no others meanwhile."""
        if self._process is None:
            return []
        first = psutil.Process(self._process.pid)
        return [first, *first.children(recursive=True)]


def new_primary(folder: Path, addresses: Sequence[str] = (LOOPBACK,)) -> Node:
    """A server that runs, with an empty database, and takes connections to these addresses from their networks."""
    _make(folder)
    _run("initdb", "-D", str(folder), "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
    with (folder / "pg_hba.conf").open("a") as rules:
        rules.writelines(f"host all all {address}/24 trust\n" for address in addresses)
    node = Node(folder, addresses)
    node.start(wait=False)
    eventually(lambda: _answers(node), READY_WITHIN)
    node.sql(f"CREATE DATABASE {DATABASE}", database="postgres")
    return node


def new_standby(folder: Path, primary: Node) -> Node:
    """A server that runs, and has all that the primary commits before that is told: commits wait for it."""
    _make(folder)
    source = f"host=127.0.0.1 port={primary.port} user={USER} application_name=standby"
    _run("pg_basebackup", "-d", source, "-D", str(folder), "-R", "-X", "stream", "--checkpoint=fast", "--no-sync")
    node = Node(folder)
    node.start()
    primary.sql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
    primary.sql("SELECT pg_reload_conf()")
    eventually(lambda: primary.sql("SELECT sync_state FROM pg_stat_replication") == [("sync",)], READY_WITHIN)
    return node


def _answers(node: Node) -> bool:
    try:
        node.sql("SELECT 1", database="postgres")
    except psycopg.OperationalError:
        return False
    return True


def _make(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    if user := user_of_server():
        shutil.chown(folder, user)


def _run(program: str, *arguments: str) -> None:
    done = subprocess.run(
        [binary(program), *arguments], user=user_of_server(), cwd="/", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
