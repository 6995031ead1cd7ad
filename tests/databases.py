"""Databases seen from outside, as somebody else who uses the same one."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString, TypeAlias
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connection
from psycopg import sql

Row: TypeAlias = tuple[object, ...]

LOCKED_WITHIN = 30.0  # seconds


class Database:
    """One whose connections are transactions from the first statement on."""

    busy: type[Exception]  # raised where somebody else holds what is to be locked

    def connect(self) -> Any:
        raise NotImplementedError

    def sql(self, statement: str, *values: object) -> list[Row]:
        """Ask or change it. Question marks stand for the values."""
        with closing(self.connect()) as other, other:
            found = other.execute(self._in_its_words(statement), values)
            return list(found) if found.description else []

    def insert(self, statement: str, rows: Iterable[Row]) -> None:
        """The same for each of these rows."""
        with closing(self.connect()) as other, other:
            other.cursor().executemany(self._in_its_words(statement), rows)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Somebody else writes, and does not come to an end. Reading goes on."""
        with closing(self.connect()) as other:
            give_up_at = time.monotonic() + LOCKED_WITHIN
            # Asked again and again, and not waited for: so a busy writer is met between two of its commits.
            while not self._lock(other):
                assert time.monotonic() < give_up_at, "the database never came free"
                time.sleep(0.0005)
            yield

    def gone(self) -> AbstractContextManager[None]:
        """Nobody finds it any more, and whoever was connected has lost it."""
        raise NotImplementedError

    def _lock(self, other: Any) -> bool:
        """Whether it is ours now."""
        raise NotImplementedError

    def _in_its_words(self, statement: str) -> str:
        return statement


@dataclass(frozen=True)
class Sqlite(Database):
    file: Path

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.file, timeout=10, check_same_thread=False)

    @contextmanager
    def gone(self) -> Iterator[None]:
        """The files are elsewhere."""
        folder = self.file.parent / "elsewhere"
        folder.mkdir()
        files = [self.file.with_name(self.file.name + end) for end in ("", "-wal", "-shm")]
        there = [file for file in files if file.exists()]
        for file in there:
            file.rename(folder / file.name)
        try:
            yield
        finally:
            assert not self.file.exists(), "a new database was made in its place"
            for file in reversed(there):  # the database itself last: once it is there, it is whole
                (folder / file.name).rename(file)

    def _lock(self, other: sqlite3.Connection) -> bool:
        other.execute("PRAGMA busy_timeout = 0")
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        return True


@dataclass(frozen=True)
class Postgresql(Database):
    url: str

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(self.url, options="-c timezone=UTC")

    def make(self) -> None:
        """Empty."""
        self._administer("CREATE DATABASE {}")

    @contextmanager
    def gone(self) -> Iterator[None]:
        """The server takes no connection to it."""
        self._administer("ALTER DATABASE {} ALLOW_CONNECTIONS false")
        self._administer("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}", sql.Literal)
        try:
            yield
        finally:
            self._administer("ALTER DATABASE {} ALLOW_CONNECTIONS true")

    def _administer(self, statement: LiteralString, spelt: type[sql.Identifier | sql.Literal] = sql.Identifier) -> None:
        """From another database; its name stands for the braces."""
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as other:
            other.execute(sql.SQL(statement).format(spelt(urlsplit(self.url).path[1:])))

    def _lock(self, other: psycopg.Connection) -> bool:
        tables = other.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        names = sql.SQL(", ").join(sql.Identifier(name) for (name,) in tables)
        try:
            other.execute(sql.SQL("LOCK TABLE {} IN EXCLUSIVE MODE NOWAIT").format(names))
        except psycopg.errors.LockNotAvailable:
            other.rollback()
            return False
        return True

    def _in_its_words(self, statement: str) -> str:
        return statement.replace("%", "%%").replace("?", "%s")


def locked_database() -> AbstractContextManager[None]:
    """Somebody else writes to the database that tests work on by the models."""
    return of_the_tests().locked()


def wait_for_locks(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections made from now on, such as those of new threads, give up so soon where the database is locked."""
    options = connection.settings_dict["OPTIONS"]
    if connection.vendor == "sqlite":
        monkeypatch.setitem(options, "timeout", seconds)
    else:
        monkeypatch.setitem(options, "options", f"-c lock_timeout={round(seconds * 1000)}ms")


def of_the_tests() -> Database:
    if connection.vendor == "sqlite":
        return Sqlite(Path(connection.settings_dict["NAME"]))
    return beside(os.environ["DATABASE_URL"], str(connection.settings_dict["NAME"]))


def beside(url: str, name: str) -> Postgresql:
    """One of this name on the same server."""
    return Postgresql(urlsplit(url)._replace(path=f"/{name}").geturl())
