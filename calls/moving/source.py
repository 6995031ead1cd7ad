"""What is moved from: a database of Ringdesk's on SQLite. It is only ever read, and as it is at one moment."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db.migrations.loader import MigrationLoader

from .refused import CantMove
from .tables import MIGRATIONS, Table

ROWS_AT_ONCE = 5_000


class Source:
    def __init__(self, file: Path, connection: sqlite3.Connection) -> None:
        self._file = file
        self._connection = connection
        self._version = self._data_version()
        connection.execute("BEGIN")  # what is read from now on is of one moment

    def check_version(self) -> None:
        """Raises: CantMove where it isn't Ringdesk's, or has other tables than this version knows."""
        ours = {config.label for config in apps.get_app_configs()}
        try:
            found = self._rows(f"SELECT app, name FROM {MIGRATIONS}")
        except sqlite3.OperationalError:
            raise CantMove(f"{self._file} is no database of Ringdesk's. Name one with --from FILE.") from None
        has = {(app.decode(), name.decode()) for app, name in found if app.decode() in ours}
        known = set(MigrationLoader(None).disk_migrations)
        if not any(app == "calls" for app, _ in has):
            raise CantMove(f"{self._file} is no database of Ringdesk's. Name one with --from FILE.")
        if has - known:
            raise CantMove(f"{self._file} was written by a newer version of Ringdesk. Move it with that version.")
        if known - has:
            raise CantMove(
                f"{self._file} was written by an older version of Ringdesk. Start the server on it once with this version, "
                "which brings it up to date, and stop it again."
            )

    def check_integrity(self) -> None:
        """Raises: CantMove where the file is damaged, or rows refer to others that aren't there."""
        [(said,), *_] = self._rows("PRAGMA integrity_check(1)")
        if said != b"ok":
            what = " ".join(said.decode(errors="replace").split())
            raise CantMove(f"{self._file} is damaged: {what}. Bring back a backup that is whole.")
        for table, row, other, _ in self._rows("PRAGMA foreign_key_check"):
            what = f"row {row} of {table.decode()} refers to a row of {other.decode()} that isn't there"
            raise CantMove(f"{self._file} is damaged: {what}. Bring back a backup that is whole.")

    def count(self, table: Table) -> int:
        [(count,)] = self._rows(f'SELECT COUNT(*) FROM "{table.name}"')
        return int(count)

    def rows(self, table: Table) -> Iterator[list[tuple[Any, ...]]]:
        """All rows in order of their keys, some at a time; the values as SQLite has them, text as bytes."""
        columns = ", ".join(f'"{column}"' for column in table.columns)
        with closing(self._connection.execute(f'SELECT {columns} FROM "{table.name}" ORDER BY "{table.key}"')) as cursor:
            while rows := cursor.fetchmany(ROWS_AT_ONCE):
                yield rows

    def last_key(self, table: Table) -> int:
        """The highest key that was ever given out; 0 where none was."""
        found = self._rows("SELECT seq FROM sqlite_sequence WHERE name = ?", table.name)
        return int(found[0][0]) if found else 0

    def check_unchanged(self) -> None:
        """The last thing to ask. Raises: CantMove where somebody wrote to it since it was opened."""
        self._connection.execute("COMMIT")
        if self._data_version() != self._version:
            raise CantMove(f"somebody wrote to {self._file} meanwhile. Stop whatever uses it, and move it again.")

    def _data_version(self) -> int:
        """Another number once another connection has changed the database; not within a transaction."""
        return int(self._rows("PRAGMA data_version")[0][0])

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, values).fetchall()


@contextmanager
def opened(file: Path) -> Iterator[Source]:
    """Raises: CantMove where there is no such file, or SQLite can't read it; then or later."""
    if not file.is_file():
        raise CantMove(f"there is no file {file}. Name the SQLite database with --from FILE.")
    address = f"{file.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
            connection.text_factory = bytes
            yield Source(file, connection)
    except sqlite3.Error as error:
        raise CantMove(f"{file} can't be read: {error}. If it is damaged, bring back a backup that is whole.") from error
