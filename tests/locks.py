"""A database that somebody else holds."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connection


@contextmanager
def locked_database(file: Path | None = None) -> Iterator[None]:
    """Somebody else writes, and does not come to an end; in the tests' own database, or in this file."""
    other = sqlite3.connect(
        file or connection.settings_dict["NAME"], isolation_level=None, timeout=0, check_same_thread=False
    )
    _begin(other)
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def _begin(other: sqlite3.Connection) -> None:
    """SQLite itself would soon ask only ten times a second, and never meet a busy writer between two of its commits."""
    give_up_at = time.monotonic() + 30
    while True:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.0005)
        else:
            return
