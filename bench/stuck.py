"""Callbacks in while very many rejects are stuck at the vendor, beside the same without them."""

from __future__ import annotations

import asyncio
import time
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from .clicks import click
from .client import Connection, load
from .goals import Wanted
from .options import Options
from .report import Figures, Results, Row, Table, progress, spread
from .subjects import Subject, ringdesk_with_vendor
from .vendor import Vendor

STUCK = 200
HELD = 30.0  # seconds; Ringdesk gives up long before
SECONDS = 1.0  # of load: Ringdesk waits 5 s for an answer, of which some pass until all are stuck
MOST_CALLS = 10_000  # a second; more than is reached
CONNECTIONS = 16
STUCK_WITHIN = 3.9  # seconds


def measure(results: Results, options: Options) -> None:
    """Quiet and stuck in turn, on one installation for each turn."""
    seconds = min(options.seconds or SECONDS, SECONDS)
    row = Row(f"one new call, {CONNECTIONS} conn., {STUCK} rejects stuck", "the same, quiet")
    for turn in range(1, options.turns + 1):
        progress(f"stuck, turn {turn} of {options.turns}")
        with TemporaryDirectory(prefix="ringdesk-bench-") as folder, ringdesk_with_vendor(Path(folder)) as subject:
            assert subject.vendor
            quiet, stuck = uvloop.run(_turn(results, subject, subject.vendor, seconds))
            row.add("reference", quiet)
            row.add("ringdesk", stuck)
    results.tables.append(Table("Rejects stuck at the vendor", ("requests/s", "p50 ms", "p99 ms", "stuck"), [row]))
    still = row.median("ringdesk", "stuck") or 0
    too_few = f"only {still:.0f} were stuck to the end: this machine is too slow or too busy" if still < STUCK else ""
    Wanted.STUCK.judge(results, row.ratio("p99 ms"), too_few)


async def _turn(results: Results, subject: Subject, vendor: Vendor, seconds: float) -> tuple[Figures, Figures]:
    vendor.answer_after(HELD)
    numbers = count(1)

    async def calls(how_many: int, for_seconds: float = float("inf")) -> Figures:
        requests = [subject.request(next(numbers)) for _ in range(how_many)]
        done = await load(subject.trigger_port, requests, CONNECTIONS, for_seconds)
        if done.accepted < done.sent:
            results.problems.append(f"stuck: {done.sent - done.accepted} of {done.sent} callbacks were refused")
        return {"requests/s": done.accepted / done.seconds, **spread(done.latencies)}

    await calls(STUCK)
    quiet = await calls(int(MOST_CALLS * seconds), seconds)
    clicks = await _get_stuck(subject, vendor, subject.pks(range(1, STUCK + 1)))
    stuck = await calls(int(MOST_CALLS * seconds), seconds)
    still = vendor.waiting()
    await asyncio.gather(*clicks)
    return quiet | {"stuck": 0}, stuck | {"stuck": still}


async def _get_stuck(subject: Subject, vendor: Vendor, pks: list[int]) -> list[asyncio.Task[int]]:
    """Click on all these calls, and wait until all are at the vendor, or the first will soon be given up.

    Returns: the clicks, which are not answered yet.
    """
    connections = [await Connection.open(subject.trigger_port) for _ in pks]
    clicks = [
        asyncio.create_task(connection.ask(click(pk, subject.address.cookie)))
        for connection, pk in zip(connections, pks, strict=True)
    ]
    until = time.perf_counter() + STUCK_WITHIN
    while await asyncio.to_thread(vendor.waiting) < STUCK and time.perf_counter() < until:
        await asyncio.sleep(0.05)
    return clicks
