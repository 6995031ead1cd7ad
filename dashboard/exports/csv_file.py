"""CSV: UTF-8 with a byte order mark, which Excel asks for, CRLF, and quotes as in RFC 4180."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from .rows import Row, Table

CONTENT_TYPE = "text/csv; charset=utf-8"

# A cell that begins so may be taken for a formula: https://owasp.org/www-community/attacks/CSV_Injection
RISKY = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")


def parts(table: Table, folder: Path) -> Iterator[bytes]:
    """The file, a chunk of rows at a time. The folder isn't needed."""
    yield b"\xef\xbb\xbf" + _lines([table.header])
    # A date by itself is one to every spreadsheet; with an offset it is text, but says what it means.
    length = None if table.crosses_offsets else len("2026-11-23 10:15:00")
    for rows in table.chunks():
        yield _lines(_cells(row, length) for row in rows)


def _cells(row: Row, length: int | None) -> list[str]:
    at, contact, account, kind, outcome, by, follow_up, seconds, answer, screens = row
    return [
        at.isoformat(" ", "seconds")[:length],
        safe(contact),
        safe(account),
        kind,
        outcome,
        safe(by),
        follow_up,
        "" if seconds is None else f"{seconds:.1f}",
        safe(answer),
        str(screens),
    ]


def safe(text: str) -> str:
    """A stranger's text, which no spreadsheet takes for a formula."""
    return f"'{text}" if RISKY.match(text) else text


def _lines(cells: object) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(cells)  # type: ignore[arg-type]
    return text.getvalue().encode()
