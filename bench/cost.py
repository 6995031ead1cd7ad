"""What each thing costs the processor, and a page in memory: for a model of capacity, not for a goal.

Each cost is the difference of two measurements, so what the process does anyhow, and what a call costs without pages, are in
none of the others. Together they tell how busy a server is:
calls × (call + card × languages + pages × delivery) + pages × sign of life + chat messages × message + rejects × reject.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import Literal, get_args

import psutil
import uvloop

from calls.vendor.envelope import seal

from . import postgres, redis, vendor
from .callbacks import chat
from .clicks import click
from .client import load, post, pushers
from .history import data_folder
from .options import Options
from .pages import Wall, open_pages
from .report import Results, Row, Table, progress
from .servers import KEY, Ringdesk
from .subjects import RING_SECONDS, Subject, subject_of

PAGES = 500
SECONDS = 5.0
RATE = 10  # calls a second, so that each has a commit of its own
CLICKS = 5  # a second
CONNECTIONS = 16  # of what is pushed as fast as it is taken
MOST_CALLS, MOST_CHATS = 10_000, 80_000  # a second; more than is reached
SETTLED_AFTER = 3.0  # seconds, in which pages have told what they have shown
BEAT_EVERY = 2.0  # seconds; the hub's
WARM_UP = 5  # calls

Engines = Literal["SQLite", "PostgreSQL and Redis"]
PROCESSES = {"postgres", "redis-server", "valkey-server"}  # names of those that are engines


@dataclass(frozen=True)
class Cpu:
    """Seconds of a core: of the server; and of the database and Redis, where these are processes of their own."""

    server: float = 0.0
    engines: float = 0.0

    def __sub__(self, other: Cpu) -> Cpu:
        return Cpu(self.server - other.server, self.engines - other.engines)

    def __mul__(self, times: float) -> Cpu:
        return Cpu(self.server * times, self.engines * times)


def measure(results: Results, options: Options) -> None:
    """Add two tables for each set of engines."""
    for engines in get_args(Engines):
        rows: dict[str, Row] = {}
        memory = Row("a page")
        for turn in range(1, options.turns + 1):
            progress(f"cost on {engines}, turn {turn} of {options.turns}")
            with _subject(engines) as subject:
                costs = _Costs(subject, options.pages or PAGES, options.seconds or SECONDS)
                uvloop.run(costs.measure())
            for what, cpu in costs.found.items():
                figures = {"server µs": cpu.server * 1e6, "engines µs": cpu.engines * 1e6}
                rows.setdefault(what, Row(what)).add("ringdesk", figures)
            memory.add("ringdesk", {"KiB": costs.page_kib})
        results.tables.append(Table(f"Processor, on {engines}", ("server µs", "engines µs"), list(rows.values())))
        results.tables.append(Table(f"Memory, on {engines}", ("KiB",), [memory]))


@contextmanager
def _subject(engines: Engines) -> Iterator[Subject]:
    """A new installation on these engines, with a vendor who takes rejects."""
    with data_folder() as folder:
        if engines == "SQLite":
            with _running(Ringdesk(folder)) as subject:
                yield subject
            return
        with postgres.running(folder / "postgresql") as database, redis.running(folder / "redis.log") as layer:
            database.make_database("bench")
            with _running(Ringdesk(folder, database.url("bench"), layer.url())) as subject:
                yield subject


@contextmanager
def _running(installation: Ringdesk) -> Iterator[Subject]:
    with vendor.running(installation.folder) as its_vendor, installation.running() as server:
        path = installation.set_up(its_vendor.url, RING_SECONDS)
        yield replace(subject_of(installation, server, path), vendor=its_vendor)


class _Costs:
    """One turn on one installation."""

    def __init__(self, subject: Subject, pages: int, seconds: float) -> None:
        self.found: dict[str, Cpu] = {}
        self.page_kib = 0.0
        self.subject = subject
        self.pages = pages
        self.seconds = seconds
        self.numbers = count(1)
        self.idle = Cpu()  # of each second

    async def measure(self) -> None:
        """Without pages, with one, with many. What leaves thousands of calls ringing comes last, when no board is drawn."""
        await self._calls(WARM_UP)
        self.idle = await self._spent(asyncio.sleep(self.seconds)) * (1 / self.seconds)
        self.found["a second, idle"] = self.idle
        await self._without_pages()
        await self._with_one_page()
        await self._with_many_pages()
        await self._as_fast_as_taken()

    async def _without_pages(self) -> None:
        calls = round(RATE * self.seconds)
        self.found["a call, alone in its commit"] = await self._spent(self._calls(calls)) * (1 / calls)
        clicks = round(CLICKS * self.seconds)
        self.found["a reject"] = await self._spent(self._clicks(clicks)) * (1 / clicks)

    async def _with_one_page(self) -> None:
        calls = round(RATE * self.seconds)
        async with open_pages(1, self.subject.address) as wall:
            spent = await self._spent(self._calls(calls, wall))
        self.found["a card, in one language"] = spent * (1 / calls) - self.found["a call, alone in its commit"]

    async def _with_many_pages(self) -> None:
        calls = round(RATE * self.seconds)
        before, before_open, began = self.subject.server.memory(), self._cpu(), time.perf_counter()
        async with open_pages(self.pages, self.subject.address) as wall:
            await asyncio.sleep(SETTLED_AFTER)
            opening = self._cpu() - before_open - self.idle * (time.perf_counter() - began)
            self.found["a page, opened, and its receipts"] = opening * (1 / self.pages)
            self.page_kib = (self.subject.server.memory() - before) * 1024 / self.pages
            beats = self.pages * self.seconds / BEAT_EVERY
            self.found["a sign of life, on one page"] = await self._spent(asyncio.sleep(self.seconds)) * (1 / beats)
            began = time.perf_counter()
            spent = await self._spent(self._calls(calls, wall))
            beats = self.pages * (time.perf_counter() - began) / BEAT_EVERY
        besides = self.found["a call, alone in its commit"], self.found["a card, in one language"]
        spent = spent - self.found["a sign of life, on one page"] * beats - besides[0] * calls - besides[1] * calls
        self.found["a delivery, and its receipt"] = spent * (1 / (calls * self.pages))

    async def _as_fast_as_taken(self) -> None:
        calls = [self.subject.request(number) for number in islice(self.numbers, round(MOST_CALLS * self.seconds))]
        chats = [post(self.subject.path, seal(chat(0), KEY))] * round(MOST_CHATS * self.seconds)
        for what, requests in (("a call, of many at once", calls), ("a chat message", chats)):
            before, began = self._cpu(), time.perf_counter()
            done = await load(self.subject.trigger_port, requests, CONNECTIONS, self.seconds)
            spent = self._cpu() - before - self.idle * (time.perf_counter() - began)
            self.found[what] = spent * (1 / done.accepted)

    async def _calls(self, how_many: int, wall: Wall | None = None) -> None:
        numbers = list(islice(self.numbers, how_many))
        async with pushers(self.subject.trigger_port, CONNECTIONS) as push:
            await push([self.subject.request(number) for number in numbers], RATE)
        if wall:
            await wall.shown(self.subject.pks(numbers))
            await asyncio.sleep(SETTLED_AFTER)

    async def _clicks(self, how_many: int) -> None:
        """On calls that came in before."""
        pks = self.subject.pks(range(WARM_UP + 1, WARM_UP + 1 + how_many))
        async with pushers(self.subject.trigger_port, CONNECTIONS) as push:
            await push([click(pk, self.subject.address.cookie) for pk in pks], CLICKS)

    async def _spent(self, work: Awaitable[None]) -> Cpu:
        """Beyond what the process takes anyhow."""
        before, began = self._cpu(), time.perf_counter()
        await work
        return self._cpu() - before - self.idle * (time.perf_counter() - began)

    def _cpu(self) -> Cpu:
        ours = psutil.Process().children(recursive=True)
        engines = [process.cpu_times() for process in ours if process.name() in PROCESSES]
        return Cpu(self.subject.server.cpu(), sum(times.user + times.system for times in engines))
