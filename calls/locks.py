"""Doing alone what only one may do at a time: of the processes of a machine, by a lock on a file; where they share a
PostgreSQL database, of all machines, by an advisory lock there.

Either kind frees itself when its holder dies.
"""

from __future__ import annotations

import fcntl
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

from django.conf import settings
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from . import vault

LOOKED_EVERY = 0.02  # seconds, at a lock that somebody else holds

NAMED = "ringdesk-locks-"  # and what follows: the connections that hold locks


class Lock(Protocol):
    """A lock that is held until it is released, or its holder dies. For one thread."""

    def take(self) -> bool:
        """Whether it is held: taken now, or still held since it was taken earlier.

        Raises: django.db.Error, OSError where that can't be known; then it is not held.
        """

    def release(self) -> None:
        """Give it up, if it is held."""


def lock(name: str) -> Lock:
    """The lock of this name, by which everybody means the same; not taken yet."""
    if connection.vendor == "postgresql":
        return _AdvisoryLock(name)
    return _FileLock(settings.DATA_DIR / f"{name}.lock")


@contextmanager
def alone(name: str, seconds_left: Callable[[], float] = lambda: math.inf) -> Iterator[None]:
    """Hold the lock of this name, after having waited for it.

    seconds_left: tells for how long it may be waited for; raises whatever is to be raised once there is nothing left.
    Raises: django.db.Error, OSError where it can't be taken.
    """
    held = lock(name)
    try:
        while not held.take():
            time.sleep(min(LOOKED_EVERY, seconds_left()))
        yield
    finally:
        held.release()


def another_key_is_in_use() -> bool:
    """Whether a server that runs now, on whichever machine, uses this database with another SECRET_KEY than ours. As far as
    it shows: each holds a connection for its locks, whose name tells. Raises: django.db.Error."""
    if connection.vendor != "postgresql":
        return False  # one machine uses it, with one data folder, in which the key is
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
            " AND starts_with(application_name, %s) AND application_name <> %s LIMIT 1",
            [NAMED, _name()],
        )
        return cursor.fetchone() is not None


def number_of(name: str) -> int:
    """Of PostgreSQL's advisory lock that has this name here."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), signed=True)


class _FileLock:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def take(self) -> bool:
        if self._file is None:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                return False
            self._file = file
        return True

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


class _AdvisoryLock:
    """Held by a connection of its own, outside of any transaction: it may be held for long, and while others are asked."""

    def __init__(self, name: str) -> None:
        self._number = number_of(name)
        self._connection: BaseDatabaseWrapper | None = None
        self._held = False

    def take(self) -> bool:
        try:
            if self._connection is None:
                self._connection = _connection_of_its_own()
            with self._connection.cursor() as cursor:
                if self._held:
                    cursor.execute("SELECT 1")  # the lock is gone with the connection, and else it is there
                else:
                    cursor.execute("SELECT pg_try_advisory_lock(%s)", [self._number])
                    self._held = cursor.fetchone()[0]
        except BaseException:
            self.release()
            raise
        return self._held

    def release(self) -> None:
        self._held = False
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _connection_of_its_own() -> BaseDatabaseWrapper:
    own = connection.copy()
    own.settings_dict["OPTIONS"] = own.settings_dict["OPTIONS"] | {"application_name": _name()}
    return own


def _name() -> str:
    """The same for all who have the same SECRET_KEY, of which it says nothing."""
    return NAMED + vault.fingerprint(b"who shares this database")[:16]
