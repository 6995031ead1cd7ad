"""The move itself: copied table by table, compared, and only then committed."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DataError, IntegrityError, transaction

from . import target
from .lines import Lines, Unfit
from .refused import CantMove
from .source import Source
from .tables import Table, all_tables

TOLD_EVERY = 5.0  # seconds

# Where PostgreSQL met a bad value, whatever its language: "COPY calls_contact, line 3, column nickname: …"
BAD_LINE = re.compile(r"COPY \w+, \S+ (?P<line>\d+)(, \S+ (?P<column>\w+))?")


@dataclass(frozen=True)
class Compared:
    """One table, as it is on both sides."""

    table: str
    rows: int
    rows_moved: int
    checksum: str  # of the lines, as hexadecimal digits
    checksum_moved: str
    mended: int  # texts in which U+FFFD stands now for what PostgreSQL doesn't hold

    @property
    def equal(self) -> bool:
        return (self.rows, self.checksum) == (self.rows_moved, self.checksum_moved)


def move(source: Source, tell: Callable[[str], None]) -> list[Compared]:
    """Copy everything from there into the database that Ringdesk is set to, which migrations have made ready.

    tell: is given a line now and then that says how far it is.
    Returns: what both sides have. Unless all of it is equal, nothing was moved.
    Raises: CantMove, django.db.Error, sqlite3.Error; then nothing was moved.
    """
    tables = all_tables()
    compared = []
    with transaction.atomic():
        target.make_ready()
        target.check_empty()
        for table in tables:
            compared.append(_move(source, table, tell))
        source.check_unchanged()
        if not all(each.equal for each in compared):
            transaction.set_rollback(True)
    if all(each.equal for each in compared):
        target.tidy(tables)
    return compared


def _move(source: Source, table: Table, tell: Callable[[str], None]) -> Compared:
    in_all, rows, checksum, lines = source.count(table), 0, hashlib.sha256(), Lines(table.fields)
    tell_at = time.monotonic() + TOLD_EVERY
    for some in source.rows(table):
        copied = _copy(table, lines, some)
        checksum.update(copied)
        rows += len(some)
        if time.monotonic() > tell_at:
            tell(f"{table.name}: {rows:,} of {in_all:,} rows …")
            tell_at = time.monotonic() + TOLD_EVERY
    if table.key_is_numbered:
        target.go_on_after(table, source.last_key(table))
    rows_moved, checksum_moved = target.contents(table)
    return Compared(table.name, rows, rows_moved, checksum.hexdigest(), checksum_moved, lines.mended)


def _copy(table: Table, lines: Lines, rows: Sequence[tuple[Any, ...]]) -> bytes:
    """Returns: the lines that were copied. Raises: CantMove, telling which row PostgreSQL doesn't take."""
    block = bytearray()
    for row in rows:
        try:
            block += lines.line(row)
        except Unfit as unfit:
            raise _refusal(table, row, unfit.column, "is of another kind than the column") from None
    try:
        target.insert(table, bytes(block))
    except (DataError, IntegrityError) as error:
        why, *_ = str(error).splitlines()
        found = BAD_LINE.search(str(error))
        if found is None:
            raise CantMove(f"PostgreSQL refuses rows of {table.name}: {why}") from error
        raise _refusal(table, rows[int(found["line"]) - 1], found["column"], f"is refused: {why}") from error
    return bytes(block)


def _refusal(table: Table, row: Sequence[Any], column: str | None, why: str) -> CantMove:
    key = row[table.columns.index(table.key)]
    key = key.decode(errors="replace") if isinstance(key, bytes) else key
    what = f"its {column}" if column else "it"
    return CantMove(f"in {table.name}, the row with {table.key} {key}: {what} {why}. Correct it in SQLite, and move again.")
