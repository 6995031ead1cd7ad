"""Where Django looks for the backend that settings name."""

from __future__ import annotations

import sqlite3
import threading
from typing import Any
from weakref import WeakSet

from django.db.backends.sqlite3 import base

from .idle import Connection, IdleConnections

TURN_WITHIN = 0.2  # seconds

_idle = IdleConnections()
_turn = threading.Lock()


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's, but threads of one process don't do for themselves what one can do for the other.

    What is closed is kept for whoever opens next: each request has a thread of its own, and to open a connection, read the
    schema and compile statements anew takes longer than most of what is asked by it. And who writes lets the next one know
    when it is done: by itself SQLite sleeps, for longer each time, and looks again.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._cursors: WeakSet[sqlite3.Cursor] = WeakSet()
        self._has_turn = False

    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection:
        connection = _idle.take(conn_params)
        if connection is None:
            connection = super().get_new_connection(conn_params | {"factory": Connection})
            connection.know(conn_params)
        return connection

    def create_cursor(self, name: str | None = None) -> sqlite3.Cursor:
        cursor: sqlite3.Cursor = super().create_cursor(name)
        self._cursors.add(cursor)
        return cursor

    def _start_transaction_under_autocommit(self) -> None:
        # Where a transaction takes long, and where others write than this process, it is as if there were no turns.
        self._has_turn = _turn.acquire(timeout=TURN_WITHIN)
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]  # the stubs leave it out
        finally:
            self._end_turn()

    def _commit(self) -> None:
        try:
            super()._commit()  # type: ignore[misc]
        finally:
            self._end_turn()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self._end_turn()

    def _close(self) -> None:
        has_failed = self.errors_occurred or self.in_atomic_block
        if has_failed or not self._could_end_cursors() or not _idle.keep(self.connection):
            super()._close()  # type: ignore[misc]
        self.connection = None  # it may be another thread's already
        self._end_turn()

    def _could_end_cursors(self) -> bool:
        """One that was not read to its end would have the next one see old rows."""
        try:
            while self._cursors:
                self._cursors.pop().close()
        except sqlite3.ProgrammingError:  # another thread is reading by it just now
            return False
        return True

    def _end_turn(self) -> None:
        if self._has_turn and not (self.connection and self.connection.in_transaction):
            self._has_turn = False
            _turn.release()
