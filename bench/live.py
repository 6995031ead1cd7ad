"""From the callback to the last of many open pages, at a pace; beside a bare `websockets` broadcast and nchan."""

from __future__ import annotations

from .client import pushers
from .goals import Wanted
from .options import Options
from .pages import Wall, open_pages
from .report import Figures, Results, Table, spread
from .side_by_side import CARD_BYTES, side_by_side
from .subjects import Subject

PAGES, RATE, SECONDS = 500, 10, 10.0
CROWD_PAGES, CROWD_RATE, CROWD_SECONDS = 1000, 50, 60.0
CROWD_REFERENCE = 10.0  # seconds: no goal compares with it, so it only tells what the machine gives
PUSHERS = 16  # connections
WARM_UP = 5  # calls, the first of which finds nothing loaded yet
COLUMNS = ("p50 ms", "p99 ms", "lost", "CPU µs a delivery")


def measure(results: Results, options: Options) -> None:
    pages, seconds = options.pages or PAGES, options.seconds or SECONDS
    what = f"callback to the last of {pages} pages, {RATE}/s"
    compared = side_by_side(
        results, options, what, lambda subject: at_a_pace(results, subject, pages, RATE, seconds), ("broadcast", "nchan")
    )
    results.tables.append(Table("Callback to the last page", COLUMNS, compared.table_rows()))
    other = options.other_than(PAGES, SECONDS)
    Wanted.SHOWN_P99.judge(results, compared.rows["broadcast"].ratio("p99 ms"), other)
    Wanted.SHOWN_NCHAN.judge(results, compared.rows["nchan"].ratio("p99 ms"), compared.missing.get("nchan", other))


def measure_crowd(results: Results, options: Options) -> None:
    pages, seconds = options.pages or CROWD_PAGES, options.seconds or CROWD_SECONDS
    what = f"callback to the last of {pages} pages, {CROWD_RATE}/s, {seconds:g} s"
    compared = side_by_side(
        results,
        options,
        what,
        lambda subject: at_a_pace(
            results, subject, pages, CROWD_RATE, seconds if subject.installation else min(seconds, CROWD_REFERENCE)
        ),
        ("broadcast",),
    )
    results.tables.append(Table("A crowd of pages", COLUMNS, compared.table_rows()))
    row, other = compared.rows["broadcast"], options.other_than(CROWD_PAGES, CROWD_SECONDS)
    Wanted.CROWD_LOST.judge(results, row.total("lost"), other)
    Wanted.CROWD_P99.judge(results, row.median("ringdesk", "p99 ms"), other)


async def at_a_pace(results: Results, subject: Subject, pages: int, rate: float, seconds: float) -> Figures:
    """Push calls at this rate, however late they are answered: times from each push to the last page's showing."""
    numbers = range(1, 1 + WARM_UP + round(rate * seconds))
    async with open_pages(pages, subject.address) as wall, pushers(subject.trigger_port, PUSHERS) as push:
        await warm_up(subject, wall, numbers[:WARM_UP])
        cpu = subject.server.cpu()
        numbers = numbers[WARM_UP:]
        paced = await push([subject.request(number) for number in numbers], rate)
        pks = subject.pks(numbers)
        shown = await wall.shown(pks)
        cpu = subject.server.cpu() - cpu
    lost = shown.lost + paced.refused.total()
    if lost or shown.closed:
        results.problems.append(
            f"{subject.name}, {pages} pages, {rate}/s: of {len(pks) * pages} showings {shown.lost} were lost, "
            f"callbacks refused: {dict(paced.refused) or 'none'}; pages closed: {shown.closed or 'none'}"
        )
    times = [shown.last[pk] - at for pk, at in zip(pks, paced.sent_at, strict=True) if pk in shown.last]
    return spread(times) | {
        "lost": lost,
        "CPU µs a delivery": cpu / (len(pks) * pages) * 1e6,
        CARD_BYTES: shown.card_bytes,
    }


async def warm_up(subject: Subject, wall: Wall, numbers: range) -> None:
    async with pushers(subject.trigger_port, 1) as push:
        await push([subject.request(number) for number in numbers], 10)
        await wall.shown(subject.pks(numbers))
