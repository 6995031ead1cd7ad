"""Rejects: from the click to the request at the vendor, and from the vendor's answer to the last of many open pages."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import islice

from .callbacks import voipid
from .clicks import click
from .client import Push, load, pushers
from .goals import Wanted
from .live import PAGES, RATE, SECONDS, at_a_pace
from .options import Options
from .pages import Wall, open_pages
from .report import Figures, Results, Row, Table, spread
from .side_by_side import CARD_BYTES, side_by_side
from .subjects import Subject, ringdesk_with_vendor
from .vendor import Vendor

FAST, FAST_SECONDS = 50, 5.0  # clicks a second
# Seconds for an answer, so that each click's card is drawn twice, as in earnest. No multiple of the time between two clicks:
# each answer would come at the very moment of another click.
VENDOR_TAKES = 0.13
WARM_UP = 10  # clicks, the first of which fetches the token
CLICKERS = 32  # connections; more than there are clicks under way
AT_ONCE = 16  # connections that push the calls


def measure(results: Results, options: Options) -> None:
    pages, seconds = options.pages or PAGES, options.seconds or SECONDS
    what = f"vendor's answer to the last of {pages} pages, {RATE}/s"

    async def one(subject: Subject) -> Figures:
        if subject.vendor is None:
            return await at_a_pace(results, subject, pages, RATE, seconds)
        return await _Clicking(results, subject, subject.vendor, pages, seconds).figures()

    compared = side_by_side(results, options, what, one, ("broadcast", "nchan"), ringdesk_with_vendor)
    turns = compared.rows["broadcast"].turns["ringdesk"]
    clicks = [
        _picked(f"no page open, {FAST}/s", turns, "click, no page"),
        _picked(f"{pages} pages open, {RATE}/s", turns, f"click, {RATE}/s"),
        _picked(f"{pages} pages open, {FAST}/s", turns, f"click, {FAST}/s"),
    ]
    fast = _picked(f"vendor's answer to the last of {pages} pages, {FAST}/s", turns, f"answer, {FAST}/s")
    results.tables += [
        Table("From the click to the request at the vendor", ("p50 ms", "p99 ms"), clicks),
        Table("From the vendor's answer to the last page", ("p50 ms", "p99 ms", "lost"), [*compared.table_rows(), fast]),
    ]
    _judge(results, options, clicks[0], compared.rows["broadcast"], compared.rows["nchan"], compared.missing.get("nchan"))


def _picked(what: str, turns: Sequence[Figures], of: str) -> Row:
    """A row of those figures of each turn that are of one kind."""
    picked = [_of_kind(turn, of) for turn in turns]
    return Row(what, turns={"ringdesk": picked, "reference": []})


def _judge(results: Results, options: Options, clicks: Row, broadcast: Row, nchan: Row, no_nchan: str | None) -> None:
    Wanted.CLICK_P50.judge(results, clicks.median("ringdesk", "p50 ms"))
    Wanted.CLICK_P99.judge(results, clicks.median("ringdesk", "p99 ms"))
    other = options.other_than(PAGES, SECONDS)
    Wanted.ANSWER_P99.judge(results, broadcast.ratio("p99 ms"), other)
    Wanted.ANSWER_NCHAN.judge(results, nchan.ratio("p99 ms"), no_nchan or other)


def _of_kind(figures: Figures, of: str) -> Figures:
    return {name.partition(": ")[2]: value for name, value in figures.items() if name.startswith(f"{of}: ")}


@dataclass(frozen=True)
class _Run:
    name: str
    rate: float  # clicks a second
    clicks: int
    with_pages: bool = False


class _Clicking:
    """One turn of Ringdesk: calls that all ring, and clicks on one after the other."""

    def __init__(self, results: Results, subject: Subject, vendor: Vendor, pages: int, seconds: float) -> None:
        self.results = results
        self.subject = subject
        self.vendor = vendor
        self.pages = pages
        fast = round(FAST * min(seconds, FAST_SECONDS))
        self.runs = [
            _Run("warm-up", 10, WARM_UP),
            _Run("no page", FAST, fast),
            _Run(f"{RATE}/s", RATE, round(RATE * seconds), with_pages=True),
            _Run(f"{FAST}/s", FAST, fast, with_pages=True),
        ]

    async def figures(self) -> Figures:
        """The times of answers at the slower rate stand for the turn; all others say what they are of."""
        self.vendor.answer_after(VENDOR_TAKES)
        numbers = range(1, 1 + sum(run.clicks for run in self.runs))
        await load(self.subject.trigger_port, [self.subject.request(number) for number in numbers], AT_ONCE)
        remaining = iter(zip(numbers, self.subject.pks(numbers), strict=True))
        figures: Figures = {"lost": 0}
        async with AsyncExitStack() as stack:
            push = await stack.enter_async_context(pushers(self.subject.trigger_port, CLICKERS))
            wall = None
            for run in self.runs:
                if run.with_pages and wall is None:
                    wall = await stack.enter_async_context(open_pages(self.pages, self.subject.address))
                calls = dict(islice(remaining, run.clicks))
                figures |= await self._run(run, push, calls, wall, figures)
        return figures | _of_kind(figures, f"answer, {RATE}/s")

    async def _run(self, run: _Run, push: Push, calls: dict[int, int], wall: Wall | None, figures: Figures) -> Figures:
        """Click on these calls, of which the ids are given by their numbers."""
        paced = await push([click(pk, self.subject.address.cookie) for pk in calls.values()], run.rate)
        came = {number: self.vendor.rejects().get(voipid(number), []) for number in calls}
        lost = sum(len(rejects) != 1 for rejects in came.values())
        clicks = [came[number][0].came_at - at for number, at in zip(calls, paced.sent_at, strict=True) if came[number]]
        found = _named(f"click, {run.name}", clicks)
        if wall:
            shown = await wall.shown(calls.values(), "rejected")
            lost += len(calls) - len(shown.last) + sum(shown.closed.values())
            answered = {calls[number]: rejects[0].answered_at for number, rejects in came.items() if rejects}
            answers = [at - since for pk, at in shown.last.items() if (since := answered.get(pk)) is not None]
            found |= _named(f"answer, {run.name}", answers) | {CARD_BYTES: shown.card_bytes}
        if lost or paced.refused:
            self.results.problems.append(
                f"rejects, {run.name}: of {run.clicks} clicks {lost} were not sent once and shown; refused: "
                f"{dict(paced.refused) or 'none'}"
            )
        return found | {"lost": figures["lost"] + lost + paced.refused.total()}


def _named(of: str, seconds: Sequence[float]) -> Figures:
    return {f"{of}: {name}": value for name, value in spread(seconds).items()}
