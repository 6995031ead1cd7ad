"""A database that somebody else holds."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connection


@contextmanager
def locked_database(file: Path | None = None) -> Iterator[None]:
    """Somebody else writes, and does not come to an end; in the tests' own database, or in this file."""
    other = sqlite3.connect(
        file or connection.settings_dict["NAME"], isolation_level=None, timeout=30, check_same_thread=False
    )
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()
