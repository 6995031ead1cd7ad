"""What is resident, without pages and with many that were shown calls."""

from __future__ import annotations

from .client import pushers
from .goals import Wanted
from .options import Options
from .pages import open_pages
from .report import Figures, Results, Table
from .side_by_side import CARD_BYTES, side_by_side
from .subjects import Subject

PAGES = 500
CALLS, RATE = 100, 20  # before it is measured; calls a second


def measure(results: Results, options: Options) -> None:
    pages = options.pages or PAGES
    columns = ("MiB without pages", "MiB")
    compared = side_by_side(
        results, options, f"memory, {pages} pages open", lambda subject: _memory(subject, pages), ("broadcast",)
    )
    results.tables.append(Table("Resident memory", columns, compared.table_rows()))
    row = compared.rows["broadcast"]
    Wanted.MEMORY.judge(results, row.median("ringdesk", "MiB"), options.other_than(PAGES))


async def _memory(subject: Subject, pages: int) -> Figures:
    before = subject.server.memory()
    numbers = range(1, 1 + CALLS)
    async with open_pages(pages, subject.address) as wall, pushers(subject.trigger_port, 4) as push:
        await push([subject.request(number) for number in numbers], RATE)
        shown = await wall.shown(subject.pks(numbers))
        return {"MiB without pages": before, "MiB": subject.server.memory(), CARD_BYTES: shown.card_bytes}
