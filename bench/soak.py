"""An hour's load squeezed into some minutes: chat messages, calls and rejects at once, with many pages open.

Every ten seconds it notes what the process holds; at the end it compares what was answered with the database, the vendor and
the pages.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression, median
from tempfile import TemporaryDirectory

import uvloop

from calls.vendor.envelope import seal

from .callbacks import chat, voipid
from .clicks import click
from .client import Paced, Push, post, pushers
from .goals import Wanted
from .options import Options
from .pages import Wall, open_pages
from .report import Figures, Results, Row, Table, progress, spread
from .servers import KEY
from .subjects import Subject, ringdesk_with_vendor
from .vendor import Vendor

PAGES = 500
MINUTES, MINUTES_IN_ALL = 10.0, 5.0
CALLS, CHATS, CLICKS = 10, 100, 5  # a second: in ten minutes 6,000 calls, half of them rejected, and 60,000 messages
RING_SECONDS = 60  # as it is unless it is set: calls that nobody rejects are missed
VENDOR_TAKES = 0.1  # seconds for an answer
SAMPLED_EVERY = 10.0  # seconds
SHOWN_WITHIN = 10.0  # seconds
COLUMNS = ("p99 ms", "answer p99 ms", "MiB", "descriptors", "threads", "spooled", "CPU %")


def measure(results: Results, options: Options) -> None:
    minutes = options.minutes or MINUTES
    with TemporaryDirectory(prefix="ringdesk-bench-") as folder, ringdesk_with_vendor(Path(folder), RING_SECONDS) as subject:
        assert subject.vendor
        soak = _Soak(results, subject, subject.vendor, options.pages or PAGES)
        samples = uvloop.run(soak.run(max(4, round(minutes * 60 / SAMPLED_EVERY))))
    title = f"Soak: {soak.pages} pages, {CALLS} calls, {CHATS} chat messages and {CLICKS} rejects a second"
    results.tables.append(Table(title, COLUMNS, _rows(samples)))
    other = options.other_than(PAGES) or (f"measured for {minutes:g} minutes only" if minutes < MINUTES_IN_ALL else "")
    Wanted.SOAK_MEMORY.judge(results, slope([sample["MiB"] for sample in samples], SAMPLED_EVERY / 60), other)
    Wanted.SOAK_FILES.judge(results, max(growth([s[name] for s in samples]) for name in ("descriptors", "threads")), other)
    Wanted.SOAK_LOST.judge(results, soak.lost, other)


def slope(values: Sequence[float], minutes: float) -> float:
    """How much more it becomes in a minute: the straight line through the second half, since caches fill in the first.

    minutes: from one value to the next.
    """
    half = values[len(values) // 2 :]
    return linear_regression([minutes * number for number in range(len(half))], half).slope


def growth(values: Sequence[float]) -> float:
    """How much more there is in the last quarter than in the second one, by the medians."""
    quarter = max(1, len(values) // 4)
    return median(values[-quarter:]) - median(values[quarter : 2 * quarter])


def _rows(samples: Sequence[Figures]) -> list[Row]:
    """About ten of them, with the minute in which each was taken."""
    every = max(1, len(samples) // 10)
    return [
        Row(f"{(number + 1) * SAMPLED_EVERY / 60:.1f} min", turns={"ringdesk": [sample], "reference": []})
        for number, sample in enumerate(samples)
        if (number + 1) % every == 0
    ]


@dataclass
class _Soak:
    results: Results
    subject: Subject
    vendor: Vendor
    pages: int
    pushed: list[int] = field(default_factory=list)  # numbers of calls
    clicked: dict[int, int] = field(default_factory=dict)  # calls to be rejected: their ids by their numbers
    lost: int = 0

    async def run(self, slices: int) -> list[Figures]:
        """The samples, one for each slice of ten seconds."""
        self.vendor.answer_after(VENDOR_TAKES)
        chats = [post(self.subject.path, seal(chat(number), KEY)) for number in range(round(CHATS * SAMPLED_EVERY))]
        samples = []
        async with AsyncExitStack() as stack:
            wall = await stack.enter_async_context(open_pages(self.pages, self.subject.address))
            lines = [await stack.enter_async_context(pushers(self.subject.trigger_port, 16)) for _ in range(3)]
            to_reject: dict[int, int] = {}
            for number in range(slices):
                progress(f"soak, {number * SAMPLED_EVERY:.0f} of {slices * SAMPLED_EVERY:.0f} s")
                sample, to_reject = await self._slice(lines, wall, chats, to_reject)
                samples.append(sample)
            await self._check(wall)
        return samples

    async def _slice(
        self, lines: Sequence[Push], wall: Wall, chats: list[bytes], to_reject: dict[int, int]
    ) -> tuple[Figures, dict[int, int]]:
        """Ten seconds of load. Takes: the calls to click on, ids by number. Returns: also those for the next slice."""
        numbers = range(len(self.pushed) + 1, len(self.pushed) + 1 + round(CALLS * SAMPLED_EVERY))
        clicks = [click(pk, self.subject.address.cookie) for pk in to_reject.values()]
        began, cpu = time.perf_counter(), self.subject.server.cpu()
        done = await asyncio.gather(
            lines[0](chats, CHATS),
            lines[1]([self.subject.request(number) for number in numbers], CALLS),
            *([lines[2](clicks, CLICKS)] if clicks else []),
        )
        busy = (self.subject.server.cpu() - cpu) / (time.perf_counter() - began)
        self.pushed += numbers
        self.clicked |= to_reject
        refused = sum((paced.refused for paced in done), Counter[int]())
        self._lose(refused.total(), f"requests were refused or not answered: {dict(refused)}")
        pks = dict(zip(numbers, self.subject.pks(numbers), strict=True))
        times = await _times_of_calls(wall, pks, done[1]) | await self._times_of_answers(wall, to_reject)
        return times | self._held() | {"CPU %": 100 * busy}, dict(list(pks.items())[:: round(CALLS / CLICKS)])

    async def _times_of_answers(self, wall: Wall, rejected: dict[int, int]) -> Figures:
        shown = await wall.shown(rejected.values(), "rejected", SHOWN_WITHIN)
        came = self.vendor.rejects()
        answered = [
            (shown.last[pk], reject.answered_at)
            for number, pk in rejected.items()
            for reject in came.get(voipid(number), [])
            if pk in shown.last
        ]
        return _p99("answer p99 ms", [shown_at - at for shown_at, at in answered if at is not None])

    def _held(self) -> Figures:
        """What the process holds."""
        server, installation = self.subject.server, self.subject.installation
        assert installation
        return {
            "MiB": server.memory(),
            "descriptors": server.descriptors(),
            "threads": server.threads(),
            "spooled": installation.metric("ringdesk_spooled_callbacks"),
        }

    async def _check(self, wall: Wall) -> None:
        """Every call stored once and shown on all pages; every reject sent once, on record, and shown on all pages."""
        assert self.subject.installation
        stored = Counter(self.subject.installation.calls().values())
        self._lose(sum(stored[voipid(number)] != 1 for number in self.pushed), "calls were not stored once")
        shown = await wall.shown(self.subject.pks(self.pushed), within=SHOWN_WITHIN)
        self._lose(shown.lost, "showings of a call were lost")
        self._lose(sum(shown.closed.values()), f"pages were closed: {shown.closed}")
        came = self.vendor.rejects()
        self._lose(sum(len(came.get(voipid(number), [])) != 1 for number in self.clicked), "rejects were not sent once")
        [(accepted,)] = self.subject.installation.rows("SELECT COUNT(*) FROM calls_attempt WHERE result = 'accepted'")
        self._lose(abs(len(self.clicked) - accepted), "rejects are not on record")
        shown = await wall.shown(self.clicked.values(), "rejected", SHOWN_WITHIN)
        self._lose(len(self.clicked) - len(shown.last), "rejects were not shown on all pages")

    def _lose(self, how_many: int, what: str) -> None:
        if how_many:
            self.lost += how_many
            self.results.problems.append(f"soak: {how_many} {what}")


async def _times_of_calls(wall: Wall, pks: dict[int, int], calls: Paced) -> Figures:
    shown = await wall.shown(pks.values(), within=SHOWN_WITHIN)
    return _p99(
        "p99 ms", [shown.last[pk] - at for pk, at in zip(pks.values(), calls.sent_at, strict=True) if pk in shown.last]
    )


def _p99(name: str, seconds: Sequence[float]) -> Figures:
    return {name: spread(seconds)["p99 ms"]} if seconds else {}
