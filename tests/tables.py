"""Tables as people read them: on a page of history, in a CSV file, in a workbook."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

from openpyxl import load_workbook
from openpyxl.cell import Cell

Table = list[list[str]]

FULL = "%Y-%m-%d %H:%M:%S"


def on_page(page: str, zone: str) -> Table:
    """History's table, header and all; its times in full, as the reader gets them by pointing at one."""
    reader = _Reader(zone)
    reader.feed(page)
    return [[" ".join(cell.split()) for cell in row] for row in reader.rows]


def in_csv(body: bytes) -> Table:
    return list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True))


def in_workbook(body: bytes) -> Table:
    """All sheets, one after the other; a cell as the spreadsheet shows it."""
    book = load_workbook(io.BytesIO(body))
    return [[_shown(cell) for cell in row] for sheet in book.worksheets for row in sheet.iter_rows()]


def _shown(cell: Cell) -> str:
    match cell.value:
        case None:
            return ""
        case datetime() as at:
            return at.strftime(FULL)
        case float() | int() as number if cell.number_format == "0.0":
            return f"{number:.1f}"
        case value:
            return str(value)


class _Reader(HTMLParser):
    def __init__(self, zone: str) -> None:
        super().__init__()
        self.rows: Table = []
        self._zone = ZoneInfo(zone)
        self._in_cell = self._in_time = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")
            self._in_cell = True
        elif tag == "time" and self._in_cell:
            at = datetime.fromisoformat(str(dict(attributes)["datetime"]))
            self.rows[-1][-1] += at.astimezone(self._zone).strftime(FULL)
            self._in_time = True

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self._in_cell = False
        elif tag == "time":
            self._in_time = False

    def handle_data(self, data: str) -> None:
        if self._in_cell and not self._in_time:
            self.rows[-1][-1] += data
