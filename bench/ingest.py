"""Callbacks in: requests a second and time to the answer, beside bare ASGI functions and beside healthchecks' pings."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence, Set
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import uvloop

from calls.vendor.envelope import seal

from . import healthchecks
from .callbacks import CONTACTS, Notices, chat, from_a_contact, from_a_stranger, voipid
from .client import Load, load, post
from .goals import Wanted
from .options import Options
from .pages import Address, Wall, open_pages
from .report import Figures, Results, Row, Table, progress, spread
from .servers import KEY, NotHere, Ringdesk, Running, reference, rows_in

SECONDS = 2.0
PAGES = 100
MOST_CALLS = 10_000  # a second; more than is reached, so that callbacks last for the whole run
MOST_CHATS = 80_000

Name = Literal["insert", "answer", "healthchecks"]


@dataclass(frozen=True)
class Case:
    what: str
    notices: Callable[[int], Notices]  # of a callback, by its number
    beside: Name
    connections: int
    with_pages: bool = False

    @property
    def brings_calls(self) -> bool:
        return self.notices is not chat


NEW_CALL = Case("one new call", from_a_contact, "insert", 16)
OPEN = Case("one new call, {pages} pages open", from_a_contact, "insert", 16, with_pages=True)
CHAT = Case("chat only", chat, "answer", 16)
PINGS = Case("one new call", from_a_contact, "healthchecks", 16)
CASES = [
    Case("one new call", from_a_contact, "insert", 1),
    NEW_CALL,
    Case("one new call", from_a_contact, "insert", 64),
    OPEN,
    Case("one new call, caller new too", from_a_stranger, "insert", 16),
    Case("chat only", chat, "answer", 1),
    CHAT,
    Case("chat only", chat, "answer", 64),
    PINGS,
]


def measure(results: Results, options: Options) -> None:
    """Add a table to the results, and the verdicts."""
    rows, missing = compare(results, options, CASES)
    _judge(results, options, rows)
    Wanted.HEALTHCHECKS.judge(results, rows[PINGS].ratio("requests/s"), missing)


def compare(results: Results, options: Options, cases: Sequence[Case]) -> tuple[dict[Case, Row], str]:
    """Add a table of these cases.

    Returns: also why some have no figures, as their reference is not here.
    """
    rows, missing = {case: _row(case, options) for case in cases}, ""
    # Those with pages on an installation of their own, so that the pages open to an empty board.
    for of_one in ([case for case in cases if not case.with_pages], [case for case in cases if case.with_pages]):
        if of_one:
            with _measurement(results, options) as measurement:
                for case in of_one:
                    try:
                        measurement.fill(rows[case], case)
                    except NotHere as reason:
                        missing = str(reason)
                        results.missing.add(missing)
    measured = [row for row in rows.values() if row.turns["ringdesk"]]
    results.tables.append(Table("Callbacks in", ("requests/s", "p50 ms", "p99 ms", "CPU µs"), measured))
    return rows, missing


def _row(case: Case, options: Options) -> Row:
    what = case.what.format(pages=options.pages or PAGES)
    return Row(f"{what}, {case.connections} conn.", case.beside)


def _judge(results: Results, options: Options, rows: dict[Case, Row]) -> None:
    Wanted.NEW_CALL_RATE.judge(results, rows[NEW_CALL].ratio("requests/s"))
    Wanted.NEW_CALL_P99.judge(results, rows[NEW_CALL].ratio("p99 ms"))
    other = options.other_than(pages=PAGES)
    Wanted.OPEN_RATE.judge(results, rows[OPEN].ratio("requests/s"), other)
    Wanted.OPEN_P99.judge(results, rows[OPEN].median("ringdesk", "p99 ms"), other)
    Wanted.OPEN_LOST.judge(results, rows[OPEN].total("lost"), other)
    Wanted.CHAT_RATE.judge(results, rows[CHAT].ratio("requests/s"))


@dataclass(frozen=True)
class Bare:
    """A reference that runs."""

    server: Running
    request: Callable[[bytes], bytes]  # a whole request, by the body of a callback
    keep_alive: bool = True
    stored: Callable[[], int] | None = None  # how many of the requests; None where none should be


@contextmanager
def _running(name: Name, folder: Path, options: Options) -> Iterator[Bare]:
    """Raises: NotHere."""
    if name == "healthchecks":
        with healthchecks.running(options.healthchecks, folder) as (server, ping):
            yield Bare(server, lambda _: ping, keep_alive=False)
    elif name == "answer":
        with reference(name, folder) as server:
            yield Bare(server, lambda body: post("/", body))
    else:
        file = folder / "bare.sqlite3"
        with reference(name, folder, str(file)) as server:
            yield Bare(
                server, lambda body: post("/", body), stored=lambda: rows_in(file, "SELECT COUNT(*) FROM callback")[0][0]
            )


@contextmanager
def _measurement(results: Results, options: Options) -> Iterator[_Measurement]:
    with TemporaryDirectory(prefix="ringdesk-bench-") as name:
        ringdesk = Ringdesk(Path(name))
        with ringdesk.running() as server:
            path = ringdesk.set_up()
            results.machine["ringdesk"] = ringdesk.settings()
            measurement = _Measurement(results, options, ringdesk, server, path)
            measurement.make_contacts_known()
            yield measurement
            measurement.check_stored()


class _Measurement:
    """A new installation, and beside it one reference after the other."""

    def __init__(self, results: Results, options: Options, ringdesk: Ringdesk, server: Running, path: str) -> None:
        self.results = results
        self.options = options
        self.seconds = options.seconds or SECONDS
        self.ringdesk = ringdesk
        self.server = server
        self.path = path
        self.address = Address(server.port, "/ws/board/", ringdesk.sign_in())
        self.numbers = count()
        self.pushed: list[int] = []

    def make_contacts_known(self) -> None:
        numbers = self._numbers(CONTACTS)
        requests = [post(self.path, seal(from_a_contact(number), KEY)) for number in numbers]
        self._note("contacts", uvloop.run(load(self.server.port, requests, 16)), numbers)

    def fill(self, row: Row, case: Case) -> None:
        """Measure a case: Ringdesk and the reference, turn by turn. Raises: NotHere."""
        inserts = 0
        with TemporaryDirectory(prefix="ringdesk-bench-") as name, _running(case.beside, Path(name), self.options) as bare:
            for turn in range(1, self.options.turns + 1):
                progress(f"ingest: {row}, turn {turn} of {self.options.turns}")
                row.add("ringdesk", uvloop.run(self._ringdesk(row, case)))
                done, figures = uvloop.run(self._reference(bare, row, case))
                inserts += done.accepted
                row.add("reference", figures)
            if bare.stored and (rows := bare.stored()) != inserts:
                self.results.problems.append(f"{row}: the reference answered {inserts} callbacks, but stored {rows}")

    def check_stored(self) -> None:
        """Every call pushed must be in the database exactly once, and nothing else."""
        self.ringdesk.wait_until_stored()
        stored = Counter(self.ringdesk.calls().values())
        pushed = {voipid(number) for number in self.pushed}
        missing, doubled = len(pushed - stored.keys()), sum(times > 1 for times in stored.values())
        made_up = len(stored.keys() - pushed)
        if missing or doubled or made_up:
            self.results.problems.append(
                f"ingest: of {len(pushed)} calls pushed, {missing} are missing, {doubled} doubled; {made_up} made up"
            )

    async def _ringdesk(self, row: Row, case: Case) -> Figures:
        numbers, bodies = self._bodies(case)
        requests = [post(self.path, body) for body in bodies]
        async with self._pages(case) as wall:
            known = self.ringdesk.calls().keys() if wall else set()
            cpu = self.server.cpu()
            done = await load(self.server.port, requests, case.connections, self.seconds)
            figures = _figures(done, self.server.cpu() - cpu)
            if wall:
                self.ringdesk.wait_until_stored()
                figures["lost"] = await self._lost(row, wall, self.ringdesk.calls().keys() - known, done)
        self._note(str(row), done, numbers)
        return figures

    async def _lost(self, row: Row, wall: Wall, stored: Set[int], done: Load) -> int:
        """Calls that were answered and not stored, and showings that are missing."""
        shown = await wall.shown(stored)
        if shown.lost or shown.closed:
            self.results.problems.append(
                f"{row}: {shown.lost} of {len(stored) * wall.pages} showings were lost; "
                f"pages closed: {shown.closed or 'none'}"
            )
        return shown.lost + max(0, done.accepted - len(stored))

    async def _reference(self, bare: Bare, row: Row, case: Case) -> tuple[Load, Figures]:
        _, bodies = self._bodies(case)
        requests = [bare.request(body) for body in bodies]
        cpu = bare.server.cpu()
        done = await load(bare.server.port, requests, case.connections, self.seconds, bare.keep_alive)
        self._note(f"{row}, the reference", done, [])
        return done, _figures(done, bare.server.cpu() - cpu)

    def _bodies(self, case: Case) -> tuple[Sequence[int], list[bytes]]:
        """The numbers of the callbacks of one run, and the callbacks, sealed before the clock starts."""
        if not case.brings_calls:
            return [], [seal(chat(0), KEY)] * int(MOST_CHATS * self.seconds)
        numbers = self._numbers(int(MOST_CALLS * self.seconds))
        return numbers, [seal(case.notices(number), KEY) for number in numbers]

    def _numbers(self, how_many: int) -> list[int]:
        return [next(self.numbers) for _ in range(how_many)]

    @asynccontextmanager
    async def _pages(self, case: Case) -> AsyncIterator[Wall | None]:
        if not case.with_pages:
            yield None
            return
        async with open_pages(self.options.pages or PAGES, self.address) as wall:
            yield wall

    def _note(self, what: str, done: Load, numbers: Sequence[int]) -> None:
        self.pushed += numbers[: done.sent]
        if done.accepted < done.sent:
            self.results.problems.append(
                f"{what}: {done.sent - done.accepted} of {done.sent} callbacks were refused or not answered: "
                f"{dict(done.refused) or 'no answer'}"
            )


def _figures(done: Load, cpu: float) -> Figures:
    """Takes: what came of the load, and the seconds of a core that the server took for it."""
    return {
        "requests/s": done.accepted / done.seconds,
        **spread(done.latencies),
        "CPU µs": cpu / done.accepted * 1e6 if done.accepted else 0.0,
        "client's share of a core": done.busy,
    }
