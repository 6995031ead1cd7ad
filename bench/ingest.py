"""Callbacks in: requests a second and time to the answer, beside a bare ASGI function that does one INSERT and commit."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from calls.vendor.envelope import seal

from .client import Load, load, post
from .pages import BY_CALL_ID, Page, lost, open_pages
from .report import TURNS, Figures, Results, Row, Table, progress, spread
from .servers import KEY, Ringdesk, Running, inserted, reference

ACCOUNTS = 20
CONTACTS = 1000
FIRST_ACCOUNT = 1688850000000000
FIRST_CONTACT = 7881300000000000
FIRST_STRANGER = 7881400000000000
FIRST_VOIPID = 7_000_000_000_000_000_000  # beyond what a float holds

MOST_CALLS = 10_000  # a second; more than is reached, so that callbacks last for the whole run
MOST_CHATS = 60_000
WARM_UP = 2 * CONTACTS  # callbacks, so that every contact of the runs is known

Notices = list[dict[str, object]]


def from_a_contact(number: int) -> Notices:
    return call(number, f"Caller {number % CONTACTS}", FIRST_CONTACT + number % CONTACTS)


def from_a_stranger(number: int) -> Notices:
    return call(number, f"Stranger {number}")


def chat(number: int) -> Notices:
    account = str(FIRST_ACCOUNT + number % ACCOUNTS)
    message = {
        "wxid": account,
        "chat_wxid": str(FIRST_CONTACT + number % CONTACTS),
        "msg_type": 1,
        "content": "你好,在吗?" * 8,
    }
    return [{"type": "chatMsg ", "corp_wxid": "1970325000000000", "rel_wxid": account, "data": [message]}]


def call(number: int, nickname: str, contact: int | None = None) -> Notices:
    """One new call; from a contact that never called before, unless it is given."""
    account = str(FIRST_ACCOUNT + number % ACCOUNTS)
    item = {
        "wxid": account,
        "chat_wxid": str(contact or FIRST_STRANGER + number),
        "voipid": FIRST_VOIPID + number,
        "type": 1 + number % 2,
        "nickname": nickname,
    }
    return [{"type": "voiceVideoCall", "corp_wxid": "1970325000000000", "rel_wxid": account, "data": [item]}]


@dataclass(frozen=True)
class Case:
    what: str
    notices: Callable[[int], Notices]  # of a callback, by its number
    reference: str  # the name of the bare program
    connections: int
    with_pages: bool = False

    @property
    def brings_calls(self) -> bool:
        return self.notices is not chat


CASES = [
    *(Case("one new call", from_a_contact, "insert", connections) for connections in (1, 16, 64)),
    Case("one new call, {pages} pages open", from_a_contact, "insert", 16, with_pages=True),
    Case("one new call, caller new too", from_a_stranger, "insert", 16),
    *(Case("chat only", chat, "answer", connections) for connections in (1, 16, 64)),
]


def measure(results: Results, seconds: float, pages: int) -> None:
    """Add a table to the results; each run lasts this many seconds."""
    with TemporaryDirectory(prefix="ringdesk-bench-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        ringdesk = Ringdesk(folder)
        subject = stack.enter_context(ringdesk.running())
        bare = {
            "insert": stack.enter_context(reference("insert", folder, str(folder / "bare.sqlite3"))),
            "answer": stack.enter_context(reference("answer", folder)),
        }
        results.machine["ringdesk"] = ringdesk.settings()
        _Measurement(results, ringdesk, subject, bare, seconds, pages).run(folder / "bare.sqlite3")


class _Measurement:
    def __init__(
        self, results: Results, ringdesk: Ringdesk, subject: Running, bare: dict[str, Running], seconds: float, pages: int
    ) -> None:
        self.problems = results.problems
        self.table = Table("Callbacks in", ("requests/s", "p50 ms", "p99 ms"))
        results.tables.append(self.table)
        self.ringdesk = ringdesk
        self.subject = subject
        self.bare = bare
        self.seconds = seconds
        self.pages = pages
        self.path = ringdesk.set_up()
        self.numbers = count()
        self.pushed: list[int] = []
        self.inserts = 0

    def run(self, bare_file: Path) -> None:
        self._warm_up()
        for case in CASES:
            what = f"{case.what.format(pages=self.pages)}, {case.connections} conn."
            row = Row(what)
            for turn in range(1, TURNS + 1):
                progress(f"ingest: {what}, turn {turn} of {TURNS}")
                row.add("ringdesk", uvloop.run(self._ringdesk(case)))
                row.add("reference", uvloop.run(self._reference(case)))
            self.table.rows.append(row)
        self._check_stored(bare_file)

    def _warm_up(self) -> None:
        progress("ingest: warming up")
        numbers = self._numbers(WARM_UP)
        bodies = [seal(from_a_contact(number), KEY) for number in numbers]
        done = uvloop.run(load(self.subject.port, [post(self.path, body) for body in bodies], 16, 20))
        self._note("warm-up", done, numbers)
        for name, server in self.bare.items():
            done = uvloop.run(load(server.port, [post("/", body) for body in bodies], 16, 20))
            self.inserts += done.accepted if name == "insert" else 0

    async def _ringdesk(self, case: Case) -> Figures:
        numbers, requests = self._requests(case, self.path)
        async with self._pages(case) as pages:
            ids_before = set(self.ringdesk.calls())
            done = await load(self.subject.port, requests, case.connections, self.seconds)
            await self._check_shown(case, pages, self.ringdesk.calls().keys() - ids_before)
        self._note(case.what, done, numbers if case.brings_calls else [])
        return _figures(done)

    async def _check_shown(self, case: Case, pages: Sequence[Page], ids: Set[int]) -> None:
        if missing := await lost(pages, ids):
            self.problems.append(f"{case.what}: {missing} of {len(ids) * len(pages)} showings of a call were lost")

    async def _reference(self, case: Case) -> Figures:
        _, requests = self._requests(case, "/")
        done = await load(self.bare[case.reference].port, requests, case.connections, self.seconds)
        self.inserts += done.accepted if case.reference == "insert" else 0
        self._note(f"{case.what}, the reference", done, [])
        return _figures(done)

    def _requests(self, case: Case, path: str) -> tuple[Sequence[int], list[bytes]]:
        """The numbers of the callbacks of one run, and the callbacks, sealed before the clock starts."""
        if not case.brings_calls:
            return [], [post(path, seal(chat(0), KEY))] * int(MOST_CHATS * self.seconds)
        numbers = self._numbers(int(MOST_CALLS * self.seconds))
        return numbers, [post(path, seal(case.notices(number), KEY)) for number in numbers]

    def _numbers(self, how_many: int) -> list[int]:
        return [next(self.numbers) for _ in range(how_many)]

    @asynccontextmanager
    async def _pages(self, case: Case) -> AsyncIterator[list[Page]]:
        if not case.with_pages:
            yield []
            return
        url = f"ws://127.0.0.1:{self.ringdesk.port}/ws/board/"
        async with open_pages(self.pages, url, BY_CALL_ID, self.ringdesk.sign_in()) as pages:
            yield pages

    def _note(self, what: str, done: Load, numbers: Sequence[int]) -> None:
        self.pushed += numbers[: done.sent]
        if done.accepted < done.sent:
            self.problems.append(
                f"{what}: {done.sent - done.accepted} of {done.sent} callbacks were refused or not answered"
            )

    def _check_stored(self, bare_file: Path) -> None:
        """Every call pushed must be in the database exactly once, and nothing else."""
        stored = Counter(self.ringdesk.calls().values())
        pushed = {str(FIRST_VOIPID + number) for number in self.pushed}
        missing, doubled = len(pushed - stored.keys()), sum(times > 1 for times in stored.values())
        made_up = len(stored.keys() - pushed)
        if missing or doubled or made_up:
            self.problems.append(
                f"of {len(pushed)} calls pushed, {missing} are missing, {doubled} doubled; {made_up} made up"
            )
        progress(f"ingest: {len(pushed)} calls were pushed, {stored.total()} are in the database")
        if (rows := inserted(bare_file)) != self.inserts:
            self.problems.append(f"the reference answered {self.inserts} callbacks, but stored {rows}")


def _figures(done: Load) -> Figures:
    return {"requests/s": done.accepted / done.seconds, **spread(done.latencies), "client's share of a core": done.busy}
