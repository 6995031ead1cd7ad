"""A thread's connection to the database, kept open, since to open one takes longer than most of what is asked by it."""

from __future__ import annotations

import os

from django.db import OperationalError, connection


class KeptConnection:
    """Of the thread that uses it. After an error it is closed, by whoever met it; the next `check` opens another.

    SQLite goes on with a file that was moved away or replaced, for as long as it is open: what was stored there would be
    missing, and what is read there would be old. So the file is looked after.
    """

    def __init__(self) -> None:
        self._path = ""
        self._identity: tuple[int, int] | None = None

    def check(self) -> None:
        """Raises: OperationalError where the file isn't the one that is open. A new connection is then opened next time."""
        if connection.vendor != "sqlite":
            return
        if connection.connection is None:
            with connection.cursor() as cursor:
                self._path = cursor.execute("PRAGMA database_list").fetchone()[2]
            self._identity = _identity(self._path)
        if not self._identity or _identity(self._path) != self._identity:
            connection.close()
            raise OperationalError("the database file was moved away or replaced")


def _identity(path: str) -> tuple[int, int] | None:
    """Which file is there; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
