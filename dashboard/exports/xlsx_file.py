"""XLSX: real dates and numbers, texts as texts, and a header that stays in sight."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from .rows import Row, Table

CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ROWS_OF_A_SHEET = 1_048_576
WIDTHS = [20, 24, 20, 8, 24, 16, 14, 18, 30, 10]  # characters
DATE = "yyyy-mm-dd hh:mm:ss"
DAY_ZERO = datetime(1899, 12, 30)  # as spreadsheets count days, without a zone
BLOCK = 256 * 1024  # bytes


def parts(table: Table, folder: Path) -> Iterator[bytes]:
    """Nothing while the file is written into the folder, a part for each chunk of rows; then the file.

    A row at a time is held in memory. Raises: OSError where the disk does not take it, and what xlsxwriter makes of that.
    """
    path = folder / "calls.xlsx"
    book = _Book(path, table)
    try:
        for rows in table.chunks():
            book.add(rows)
            yield b""
        book.close()
    finally:
        book.let_go()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


class _Book:
    def __init__(self, path: Path, table: Table) -> None:
        self._table = table
        self._book = xlsxwriter.Workbook(path, {"constant_memory": True, "tmpdir": str(path.parent)})
        self._bold = self._book.add_format({"bold": True})
        self._seconds = self._book.add_format({"num_format": "0.0"})
        self._dates: dict[str, Format] = {}
        self._sheets = 0
        self._sheet = self._new_sheet()

    def add(self, rows: list[Row]) -> None:
        for row in rows:
            if self._next == ROWS_OF_A_SHEET:
                self._sheet = self._new_sheet()
            self._write(row)
            self._next += 1

    def close(self) -> None:
        self._book.close()

    def let_go(self) -> None:
        """Of the files that it holds open, where it was not closed."""
        for sheet in self._book.worksheets():
            with suppress(OSError):
                sheet._opt_close()

    def _new_sheet(self) -> Worksheet:
        self._sheets += 1
        name = self._table.title if self._sheets == 1 else f"{self._table.title} {self._sheets}"
        sheet: Worksheet = self._book.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        for column, (text, width) in enumerate(zip(self._table.header, WIDTHS, strict=True)):
            sheet.set_column(column, column, width)
            sheet.write_string(0, column, text, self._bold)
        self._next = 1
        return sheet

    def _write(self, row: Row) -> None:
        sheet, number = self._sheet, self._next
        for column, cell in enumerate(row):
            if isinstance(cell, str):
                sheet.write_string(number, column, _plain(cell))
            elif isinstance(cell, datetime):
                sheet.write_number(number, column, _days(cell), self._date(cell))
            elif isinstance(cell, int):
                sheet.write_number(number, column, cell)
            elif cell is not None:
                sheet.write_number(number, column, round(cell, 1), self._seconds)

    def _date(self, at: datetime) -> Format:
        """Where the rows cross a change of the offset, it is part of how a date looks; the cell stays a date."""
        offset = at.isoformat()[-6:] if self._table.crosses_offsets else ""
        if offset not in self._dates:
            self._dates[offset] = self._book.add_format({"num_format": f'{DATE}"{offset}"' if offset else DATE})
        return self._dates[offset]


def _days(at: datetime) -> float:
    """The reader's clock, to the second, as spreadsheets have it."""
    return (at.replace(microsecond=0, tzinfo=None) - DAY_ZERO).total_seconds() / 86400


def _plain(text: str) -> str:
    """xlsxwriter takes a text that looks so for XML of its own making, and would write it as it is."""
    return f"{text} " if text.startswith("<r>") and text.endswith("</r>") else text
