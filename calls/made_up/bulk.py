"""Millions of rows, as fast as the database takes them: by COPY on PostgreSQL, by hand-written INSERTs on SQLite."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import connection, models

# While much is written to SQLite: pages of indexes that are written all the time stay in memory (KiB, as a negative number),
# and the disk is waited for now and then (WAL pages), not at every commit. A power cut takes the last calls, never the file.
SQLITE_IN_BULK = {"cache_size": -200_000, "synchronous": 1, "wal_autocheckpoint": 50_000}

Row = Sequence[Any]


@contextmanager
def in_bulk() -> Iterator[None]:
    """For the connection of this thread. Not within a transaction."""
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        before = {name: cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in SQLITE_IN_BULK}
        _set(SQLITE_IN_BULK)
    try:
        yield
    finally:
        _set(before)


def new_ids(model: type[models.Model], how_many: int) -> Sequence[int]:
    """Primary keys that nobody else gets, ascending. Within a transaction."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)", [table, how_many])
            return [pk for (pk,) in cursor.fetchall()]
        # The transaction keeps everybody else from writing meanwhile.
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        last = (cursor.fetchone() or (0,))[0]
        return range(last + 1, last + 1 + how_many)


def insert(model: type[models.Model], fields: Sequence[str], rows: Iterable[Row]) -> None:
    """Rows as they are: values stand in the order of the fields; datetimes are UTC."""
    quoted = connection.ops.quote_name
    table = quoted(model._meta.db_table)
    names = {field.name: str(field.column) for field in model._meta.concrete_fields}
    columns = ", ".join(quoted(names[field]) for field in fields)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            places = ", ".join(["%s"] * len(fields))
            statement = f"INSERT INTO {table} ({columns}) VALUES ({places})"  # noqa: S608  # names of our own
            cursor.executemany(statement, [_as_sqlite_has_it(row) for row in rows])


def analyse() -> None:
    """Have the planner know what is in the tables now; without it, it takes an index that fits badly."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _as_sqlite_has_it(row: Row) -> list[Any]:
    """With datetimes as Django writes them: naive, as text."""
    return [str(value)[:-6] if type(value) is datetime else value for value in row]


def _set(pragmas: dict[str, int]) -> None:
    with connection.cursor() as cursor:
        for name, value in pragmas.items():
            cursor.execute(f"PRAGMA {name} = {value}")
