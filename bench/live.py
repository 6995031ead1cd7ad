"""From the callback to the last of many open pages, beside a bare `websockets` broadcast; and start and memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from calls.vendor.envelope import seal

from .client import ANSWERED_WITHIN, Connection, post
from .ingest import call
from .pages import BY_MARK, Page, lost, mark, open_pages
from .report import TURNS, Results, Row, Side, Table, progress, spread
from .servers import KEY, Ringdesk, Running, free_port, reference

RATES = (1, 10)  # calls a second
CALLS_AT_LEAST = 5  # in a run; three seconds at one a second would bring too few
PUSHERS = 4  # connections that push in turn, so that a callback that is answered late holds up no other


@dataclass
class Subject:
    """A server that shows calls on pages."""

    side: Side
    server: Running
    trigger_port: int
    request: Callable[[int], bytes]  # a whole HTTP request that brings the call of this number
    socket: str  # the address for pages
    cookie: str = ""


def measure(results: Results, seconds: float, pages: int) -> None:
    """Add tables to the results; each run lasts about this many seconds."""
    measurement = _Measurement(results, seconds, pages)
    for turn in range(1, TURNS + 1):
        progress(f"live: {pages} pages, turn {turn} of {TURNS}")
        with TemporaryDirectory(prefix="ringdesk-bench-") as name:
            measurement.run(Path(name))


class _Measurement:
    def __init__(self, results: Results, seconds: float, pages: int) -> None:
        self.results = results
        self.seconds = seconds
        self.pages = pages
        self.numbers = count()
        self.shown = {rate: Row(f"{rate} calls/s") for rate in RATES}
        self.first_start, self.start = Row("first start, database made"), Row("start to ready")
        self.idle, self.open = Row("no page open yet"), Row(f"{pages} pages open, after the runs")
        results.tables += [
            Table(f"Callback to the last of {pages} pages", ("p50 ms", "p99 ms"), list(self.shown.values())),
            Table("Start", ("s",), [self.first_start, self.start]),
            Table("Resident memory", ("MiB",), [self.idle, self.open]),
        ]

    def run(self, folder: Path) -> None:
        """One turn: Ringdesk on a new database, then the reference with messages as long as Ringdesk's."""
        with self._ringdesk(folder) as subject:
            card_bytes = self._turn(subject)
        with self._broadcast(folder, card_bytes) as subject:
            self._turn(subject)

    @contextmanager
    def _ringdesk(self, folder: Path) -> Iterator[Subject]:
        ringdesk = Ringdesk(folder)
        with ringdesk.running() as server:
            self.first_start.add("ringdesk", {"s": server.seconds_to_ready})
            path = ringdesk.set_up()
        self.results.machine["ringdesk"] = ringdesk.settings()
        with ringdesk.running() as server:
            yield Subject(
                side="ringdesk",
                server=server,
                trigger_port=server.port,
                request=lambda number: post(path, seal(call(number, mark(number)), KEY)),
                socket=f"ws://127.0.0.1:{server.port}/ws/board/",
                cookie=ringdesk.sign_in(),
            )

    @contextmanager
    def _broadcast(self, folder: Path, message_bytes: int) -> Iterator[Subject]:
        trigger_port = free_port()
        with reference("broadcast", folder, str(trigger_port)) as server:
            yield Subject(
                side="reference",
                server=server,
                trigger_port=trigger_port,
                request=lambda number: post("/", mark(number).encode().ljust(message_bytes, b"-")),
                socket=f"ws://127.0.0.1:{server.port}/",
            )

    def _turn(self, subject: Subject) -> int:
        """Measure it; the length of a message that showed one call, in bytes."""
        self.start.add(subject.side, {"s": subject.server.seconds_to_ready})
        self.idle.add(subject.side, {"MiB": subject.server.memory()})
        return uvloop.run(self._with_pages(subject))

    async def _with_pages(self, subject: Subject) -> int:
        pushers = [await Connection.open(subject.trigger_port) for _ in range(PUSHERS)]
        async with open_pages(self.pages, subject.socket, BY_MARK, subject.cookie) as pages:
            for rate, row in self.shown.items():
                row.add(subject.side, spread(await self._push(subject, pushers, pages, rate)))
            self.open.add(subject.side, {"MiB": subject.server.memory()})
        for pusher in pushers:
            pusher.close()
        return pages[0].card_bytes

    async def _push(self, subject: Subject, pushers: list[Connection], pages: list[Page], rate: int) -> list[float]:
        """Push calls at this rate, however late they are answered; seconds from each push to the last page's showing."""
        numbers = [next(self.numbers) for _ in range(max(CALLS_AT_LEAST, round(rate * self.seconds)))]
        requests = [subject.request(number) for number in numbers]
        pushed_at = []
        answers = []
        for request, pusher in zip(requests, cycle(pushers), strict=False):
            await asyncio.sleep(1 / rate)
            pushed_at.append(time.perf_counter())
            answers.append(asyncio.create_task(pusher.ask(request)))
        missing = await lost(pages, set(numbers))
        answered, _ = await asyncio.wait(answers, timeout=ANSWERED_WITHIN)
        accepted = sum(answer.exception() is None and answer.result() == 200 for answer in answered)
        if missing:
            self.results.problems.append(
                f"{subject.side}, {rate} calls/s: {missing} of {len(numbers) * len(pages)} showings of a call were lost"
            )
        if refused := len(numbers) - accepted:
            self.results.problems.append(
                f"{subject.side}, {rate} calls/s: {refused} of {len(numbers)} callbacks were refused or not answered"
            )
        return [
            max(page.shown[number] for page in pages) - at
            for number, at in zip(numbers, pushed_at, strict=True)
            if all(number in page.shown for page in pages)
        ]
