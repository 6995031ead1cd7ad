"""Installations to move, and empty databases to move them to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
import pytest

from bench.postgres import Postgres
from tests.installation import ROOT

_numbers = count(1)


@dataclass
class Installation:
    """A data folder, and a PostgreSQL database that is there for it."""

    folder: Path
    database: str  # as DATABASE_URL
    session: str  # of a supervisor who is signed in

    @property
    def file(self) -> Path:
        return self.folder / "ringdesk.sqlite3"

    def manage(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """On SQLite, unless the environment has a DATABASE_URL."""
        return subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT, env=self.environment | environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "DATA_DIR": str(self.folder)}

    def do(self, what: str, **environment: str) -> str:
        """Have a function of a module beside this one called; what it printed."""
        module, _, _ = what.partition(".")
        code = f"from tests.moving import {module}; {what}()"
        done = self.manage("shell", "--no-imports", "--command", code, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def move(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.manage("move_data", *arguments, **{"DATABASE_URL": self.database} | environment)

    def refusal(self, *arguments: str, **environment: str) -> str:
        """The one line that it refuses to move with."""
        done = self.move(*arguments, **environment)
        assert done.returncode == 1
        said = done.stderr.strip().splitlines()[-1]
        assert said.startswith("CommandError: Nothing was moved: ")
        return said

    def migrate_target(self) -> None:
        done = self.manage("migrate", DATABASE_URL=self.database)
        assert done.returncode == 0, done.stderr

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        """Ask or change the PostgreSQL database."""
        with psycopg.connect(self.database) as connection:
            done = connection.execute(statement)
            return done.fetchall() if done.description else []

    def nothing_was_moved(self) -> bool:
        return self.sql("SELECT (SELECT count(*) FROM calls_call) + (SELECT count(*) FROM calls_team)") == [(0,)]


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A data folder with something in every table, and a session in it."""
    folder = tmp_path_factory.mktemp("filled")
    return folder, Installation(folder, "", "").do("filled.fill").split()[-1]


def new_installation(filled: tuple[Path, str], folder: Path, server: Postgres) -> Installation:
    shutil.copytree(filled[0], folder, dirs_exist_ok=True)
    name = f"target_{next(_numbers)}"
    server.make_database(name)
    return Installation(folder, server.url(name), filled[1])


@pytest.fixture
def installation(filled: tuple[Path, str], tmp_path: Path, postgresql: Postgres) -> Installation:
    return new_installation(filled, tmp_path / "data", postgresql)
