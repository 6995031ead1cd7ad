"""What is moved to: an empty database on PostgreSQL, the one that DATABASE_URL names. For within one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from django.db import connection

from .refused import CantMove
from .tables import MIGRATIONS, Table, all_tables, made_by_migrations


def check_empty() -> None:
    """Raises: CantMove where any table holds a row, apart from what migrations make; django.db.Error."""
    replaced = {table.name for table in made_by_migrations()} | {MIGRATIONS}
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_encoding")
        if (encoding := cursor.fetchone()[0]) != "UTF8":
            raise CantMove(f"the PostgreSQL database has the encoding {encoding}. Make one with UTF8.")
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {_quoted(table)})")
            if cursor.fetchone()[0] and table not in replaced:
                raise CantMove(f"the PostgreSQL database isn't empty: {table} has rows. Give DATABASE_URL a new one.")


def make_ready() -> None:
    """Keep everybody else out, and take away what migrations made."""
    tables = ", ".join(_quoted(table.name) for table in all_tables())
    with connection.cursor() as cursor:
        # COPY is to write what `lines` writes, and what refers to nothing is to be found in time.
        cursor.execute("SET LOCAL datestyle = 'ISO, YMD'")
        cursor.execute("SET LOCAL bytea_output = 'hex'")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")
        for table in reversed(made_by_migrations()):
            cursor.execute(f"DELETE FROM {_quoted(table.name)}")


def insert(table: Table, lines: bytes) -> None:
    """Raises: django.db.Error."""
    statement = f"COPY {_quoted(table.name)} ({_columns(table)}) FROM STDIN"
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        copy.write(lines)


def contents(table: Table) -> tuple[int, str]:
    """How many rows there are, and the checksum of their lines, in order of their keys."""
    rows, checksum = 0, hashlib.sha256()
    # In order of the characters' codes, as SQLite has it, where the key is a text.
    key = _quoted(table.key) + (' COLLATE "C"' if table.key_is_text else "")
    statement = f"COPY (SELECT {_columns(table)} FROM {_quoted(table.name)} ORDER BY {key}) TO STDOUT"
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        for block in copy:
            rows += bytes(block).count(b"\n")
            checksum.update(block)
    return rows, checksum.hexdigest()


def go_on_after(table: Table, last_key: int) -> None:
    """Have no key given out again, not even that of a row that is gone."""
    name, key = _quoted(table.name), _quoted(table.key)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT setval(pg_get_serial_sequence(%s, %s), last) FROM"
            f" (SELECT GREATEST(%s, (SELECT MAX({key}) FROM {name})) AS last) AS keys WHERE last > 0",
            [name, table.key, last_key],
        )


def tidy(tables: Sequence[Table]) -> None:
    """Have PostgreSQL learn what is in the tables, without which the first pages are slow. Not within a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(f"VACUUM (ANALYZE) {', '.join(_quoted(table.name) for table in tables)}")


def _columns(table: Table) -> str:
    return ", ".join(map(_quoted, table.columns))


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
