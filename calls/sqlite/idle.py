"""Open connections that nobody uses at the moment."""

from __future__ import annotations

import atexit
import os
import sqlite3
from collections import deque
from collections.abc import Mapping
from typing import Any

KEPT = 4  # connections, each with a cache of its own


class Connection(sqlite3.Connection):
    """Knows which file it is to. SQLite goes on with one that was moved away or replaced, for as long as it is open."""

    def know(self, parameters: Mapping[str, Any]) -> None:
        """Note by which parameters it was opened just now, and which file that was."""
        self._parameters = parameters
        self._path = self.execute("PRAGMA database_list").fetchone()[2]
        self._file = _file_at(self._path)

    def is_as_opened_by(self, parameters: Mapping[str, Any]) -> bool:
        """Whether whoever opened one by these parameters now would get the same."""
        return self._parameters == parameters and self.is_in_place

    @property
    def is_in_place(self) -> bool:
        return self._file is not None and _file_at(self._path) == self._file


class IdleConnections:
    """Those used last are taken first, since what they read is still in their cache. Used by all threads."""

    def __init__(self) -> None:
        self._kept: deque[Connection] = deque()
        atexit.register(self.close)

    def take(self, parameters: Mapping[str, Any]) -> Connection | None:
        while (connection := self._pop()) is not None:
            if connection.is_as_opened_by(parameters):
                return connection
            connection.close()
        return None

    def keep(self, connection: Connection) -> bool:
        """Returns: whether it is kept. Otherwise whoever used it closes it."""
        if len(self._kept) >= KEPT or connection.in_transaction:
            return False
        self._kept.append(connection)
        return True

    def close(self) -> None:
        while (connection := self._pop()) is not None:
            connection.close()

    def _pop(self) -> Connection | None:
        try:
            return self._kept.pop()
        except IndexError:
            return None


def _file_at(path: str) -> tuple[int, int] | None:
    """Which file is there, by device and number; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
