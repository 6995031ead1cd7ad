"""The index on PostgreSQL: a GIN index over the pieces of a text, kept up by the database itself.

Pieces of our own, by a function of ours (migration 0008), since pg_trgm takes Chinese for punctuation under some locales
and knows nothing under three characters.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.models import Q

from .. import patience
from ..locks import lock
from ..models.call import CallQuerySet
from . import grams
from .sources import INDEXED, Source

LOOKED_EVERY = 0.1  # seconds


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

    Returns: whether there is more to do; not where somebody else is at it.
    """
    if not _missing():
        return False
    with _alone() as alone:
        missing = _missing() if alone else []
        if missing:
            _make_index(missing[0])
    return len(missing) > 1


def forget() -> None:
    """Take the indexes away, unless somebody makes them anew just now. All is searched directly until they are built."""
    with _alone() as alone:
        for source in INDEXED if alone else ():
            _drop_index(source)


def leave_no_trace(sources: Iterable[Source]) -> None:
    """Nothing to do: the index changes with the rows."""


def build() -> None:
    """Index all that isn't, at once, or wait until somebody else has."""
    while _missing():
        if not index_some():
            time.sleep(LOOKED_EVERY)


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


def _missing() -> list[Source]:
    usable = _usable_indexes()
    return [source for source in INDEXED if _index_of(source) not in usable]


@contextmanager
def _alone() -> Iterator[bool]:
    """Whether nobody else makes an index, and then as long as this lasts. One that is being made is no usable one, and must
    not be taken for one whose making was cut short."""
    making = lock("search-index")
    try:
        yield making.take()
    finally:
        making.release()


def _make_index(source: Source) -> None:
    _drop_index(source)  # one whose making was cut short can't be used
    with connection.cursor() as cursor, patience.without_end():
        cursor.execute(
            f"CREATE INDEX {_concurrently()} {_index_of(source)} ON {source.table}"
            f" USING gin (calls_pieces({_body_of(source)})) WHERE {_body_of(source)} <> ''"
        )
        cursor.execute(f"ANALYZE {source.table}")  # the planner needs to know how rare the pieces are


def _drop_index(source: Source) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX {_concurrently()} IF EXISTS {_index_of(source)}")


def _concurrently() -> str:
    """Beside those who read and write. In a transaction, which can't do it, only tests do this."""
    return "" if connection.in_atomic_block else "CONCURRENTLY"


def _index_of(source: Source) -> str:
    return f"{source.table}_pieces"


def _body_of(source: Source) -> str:
    return "(" + " || ' ' || ".join(source.columns) + ")"
