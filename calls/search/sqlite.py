"""The index on SQLite: an FTS5 table for each table that is searched, in which each piece of a text is a word.

They hold no texts, only which rows have which pieces (contentless, without positions), so an entry is never taken out: what
the index says is looked up in the rows themselves. It is kept up beside the work. Rows that it doesn't have yet, and those
that changed, are searched directly.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from ..models import Call, ChangedText, IndexedUpTo
from ..models.call import CallQuerySet
from . import grams
from .sources import INDEXED, Source

STEP = 500  # rows; a writer waits for so many at most


def candidates(source: Source, text: str, most: int) -> list[int] | None:
    """Ids of all rows that contain the text, and of some that may not; None where there are more than `most`."""
    pieces = grams.pieces_in_all_with(text)
    if not pieces:
        return None
    # What isn't indexed is asked for first: a row that is indexed meanwhile is found twice, and never not at all.
    not_indexed = source.containing(text).filter(pk__gt=_indexed_up_to(source))
    rows = set(not_indexed.values_list("pk", flat=True)[: most + 1])
    rows.update(ChangedText.objects.filter(table=source.table).values_list("row", flat=True)[: most + 1])
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT rowid FROM {_index_of(source)} WHERE {_index_of(source)} MATCH %s LIMIT %s",
            [_as_words(pieces), most + 1],
        )
        rows.update(row for (row,) in cursor.fetchall())
    return list(rows) if len(rows) <= most else None


def within(calls: CallQuerySet, found: Q) -> CallQuerySet:
    """Those of the calls that are among the found ones, by looking at what is found, and not at the other calls.

    SQLite has no idea which are more, and would take an index in the right order, however long it is.
    """
    return Call.objects.filter(found, Exists(calls.order_by().filter(pk=OuterRef("pk"))))


def index_some(rows: int = STEP) -> bool:
    """Bring the index up to date by so many rows at most. Returns: whether there is more to do."""
    return any(_index_new(source, rows) for source in INDEXED) or _index_changed(rows)


def forget(sources: Iterable[Source] = INDEXED) -> None:
    """Empty the index of these. They are searched directly until it is built anew."""
    with transaction.atomic(), connection.cursor() as cursor:
        for source in sources:
            cursor.execute(f"INSERT INTO {_index_of(source)} ({_index_of(source)}) VALUES ('delete-all')")
            IndexedUpTo.objects.filter(table=source.table).delete()
            ChangedText.objects.filter(table=source.table).delete()


leave_no_trace = forget  # its entries stay when the texts are gone, so they go all together


def build() -> None:
    """Index all that isn't, at once; in larger steps, each of which keeps writers waiting for about a second."""
    while index_some(20_000):
        pass
    with connection.cursor() as cursor:
        for source in INDEXED:
            cursor.execute(f"INSERT INTO {_index_of(source)} ({_index_of(source)}) VALUES ('optimize')")


def _indexed_up_to(source: Source) -> int:
    return IndexedUpTo.objects.filter(table=source.table).values_list("row", flat=True).first() or 0


def _index_new(source: Source, most: int) -> bool:
    rows = list(source.rows.filter(pk__gt=_indexed_up_to(source)).order_by("pk").values_list("pk", *source.columns)[:most])
    if not rows:
        return False
    with transaction.atomic():
        _insert(source, rows)
        IndexedUpTo.objects.update_or_create(table=source.table, defaults={"row": rows[-1][0]})
    return True


def _index_changed(most: int) -> bool:
    if not ChangedText.objects.exists():
        return False
    with transaction.atomic():  # in which nothing changes
        changed = list(ChangedText.objects.all()[:most])
        for source in INDEXED:
            rows = [text.row for text in changed if text.table == source.table]
            _insert(source, source.rows.filter(pk__in=rows).values_list("pk", *source.columns))
        ChangedText.objects.filter(pk__in=[text.pk for text in changed]).delete()
    return True


def _insert(source: Source, rows: Iterable[tuple]) -> None:
    entries = [(pk, _as_words(set().union(*map(grams.pieces_of, texts)))) for pk, *texts in rows]
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {_index_of(source)} (rowid, pieces) VALUES (%s, %s)", [entry for entry in entries if entry[1]]
        )


def _index_of(source: Source) -> str:
    return f"{source.table}_pieces"


def _as_words(pieces: Iterable[str]) -> str:
    """As words that FTS5 takes as they are, whatever the characters. Next to each other, all of them are asked for."""
    return " ".join([piece.encode().hex() for piece in pieces])
