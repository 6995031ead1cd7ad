"""The index on PostgreSQL: a GIN index over the pieces of a text, kept up by the database itself.

Pieces of our own, by a function of ours (migration 0008), since pg_trgm takes Chinese for punctuation under some locales
and knows nothing under three characters.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection
from django.db.models import Q

from ..models.call import CallQuerySet
from . import grams
from .sources import INDEXED, Source


def candidates(source: Source, text: str, most: int) -> list[int] | None:
    """Ids of all rows that contain the text, and of some that may not; None where there are more than `most`."""
    if not grams.pieces_in_all_with(text):
        return None
    if _index_of(source) not in _usable_indexes():
        rows = list(source.containing(text).values_list("pk", flat=True)[: most + 1])
    else:
        rows = _look_up(source, text, most + 1)
    return rows if len(rows) <= most else None


def within(calls: CallQuerySet, found: Q) -> CallQuerySet:
    """Those of the calls that are among the found ones. PostgreSQL knows which are more."""
    return calls.filter(found)


def index_some() -> bool:
    """Make one of the indexes, if one is missing: over millions of rows it takes a minute or two, and nobody waits for it.

    Returns: whether there is more to do.
    """
    usable = _usable_indexes()
    missing = [source for source in INDEXED if _index_of(source) not in usable]
    if missing:
        _make_index(missing[0])
    return len(missing) > 1


def forget() -> None:
    """Take the indexes away. All is searched directly until they are built anew."""
    with connection.cursor() as cursor:
        for source in INDEXED:
            cursor.execute(f"DROP INDEX IF EXISTS {_index_of(source)}")


def leave_no_trace(sources: Iterable[Source]) -> None:
    """Nothing to do: the index changes with the rows."""


def build() -> None:
    """Index all that isn't, at once."""
    while index_some():
        pass


def _look_up(source: Source, text: str, most: int) -> list[int]:
    body = _body_of(source)
    with connection.cursor() as cursor:
        # Of a text of three characters and more, its pieces of three say it all.
        cursor.execute(
            f"SELECT id FROM {source.table} WHERE {body} <> '' AND calls_pieces({body}) @>"
            " (calls_pieces(%s))[1 : CASE WHEN length(upper(%s)) < 3 THEN 3 ELSE length(upper(%s)) - 2 END] LIMIT %s",
            [text, text, text, most],
        )
        return [row for (row,) in cursor.fetchall()]


def _usable_indexes() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid"
            " WHERE indisvalid AND pg_table_is_visible(pg_class.oid) AND relname = ANY(%s)",
            [[_index_of(source) for source in INDEXED]],
        )
        return {name for (name,) in cursor.fetchall()}


def _make_index(source: Source) -> None:
    # In a transaction only tests do this.
    without_waiting = "" if connection.in_atomic_block else "CONCURRENTLY"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX IF EXISTS {_index_of(source)}")  # one whose making was cut short can't be used
        cursor.execute(
            f"CREATE INDEX {without_waiting} {_index_of(source)} ON {source.table}"
            f" USING gin (calls_pieces({_body_of(source)})) WHERE {_body_of(source)} <> ''"
        )
        cursor.execute(f"ANALYZE {source.table}")  # the planner needs to know how rare the pieces are


def _index_of(source: Source) -> str:
    return f"{source.table}_pieces"


def _body_of(source: Source) -> str:
    return "(" + " || ' ' || ".join(source.columns) + ")"
