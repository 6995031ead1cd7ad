"""Deliveries a second: calls as fast as they are taken, until every page was shown every one of them."""

from __future__ import annotations

import time

from .client import load
from .goals import Wanted
from .live import warm_up
from .options import Options
from .pages import open_pages
from .report import Figures, Results, Table
from .side_by_side import CARD_BYTES, side_by_side
from .subjects import Subject

PAGES = 500
CALLS = 300
CONNECTIONS = 16
WARM_UP = 5  # calls
SHOWN_WITHIN = 60.0  # seconds


def measure(results: Results, options: Options) -> None:
    pages = options.pages or PAGES
    what = f"{CALLS} calls on {pages} pages"
    compared = side_by_side(results, options, what, lambda subject: _burst(results, subject, pages), ("broadcast", "nchan"))
    columns = ("deliveries/s", "taken in s", "lost", "CPU µs a delivery")
    results.tables.append(Table("A burst of calls", columns, compared.table_rows()))
    Wanted.BURST.judge(results, compared.rows["broadcast"].ratio("deliveries/s"), options.other_than(PAGES))


async def _burst(results: Results, subject: Subject, pages: int) -> Figures:
    """A delivery is one call's card on one page, however many cards are in a text."""
    numbers = range(1, 1 + WARM_UP + CALLS)
    async with open_pages(pages, subject.address) as wall:
        await warm_up(subject, wall, numbers[:WARM_UP])
        numbers = numbers[WARM_UP:]
        requests = [subject.request(number) for number in numbers]
        cpu, began = subject.server.cpu(), time.perf_counter()
        done = await load(subject.trigger_port, requests, CONNECTIONS)
        shown = await wall.shown(subject.pks(numbers), within=SHOWN_WITHIN)
        cpu = subject.server.cpu() - cpu
    lost = shown.lost + len(numbers) - done.accepted
    if lost or shown.closed:
        results.problems.append(
            f"{subject.name}, a burst: of {CALLS * pages} showings {shown.lost} were lost, "
            f"{CALLS - done.accepted} callbacks refused; pages closed: {shown.closed or 'none'}"
        )
    ended = max(shown.last.values(), default=time.perf_counter())
    return {
        "deliveries/s": (CALLS * pages - shown.lost) / (ended - began),
        "taken in s": done.seconds,
        "lost": lost,
        "CPU µs a delivery": cpu / (CALLS * pages) * 1e6,
        CARD_BYTES: shown.card_bytes,
    }
