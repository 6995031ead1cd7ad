"""The goals, in the order of docs/bench.md, each with the case that measures it. Those of history are in history.py."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .report import Goal, Results, number


@dataclass(frozen=True)
class Limit:
    figure: float
    of: str  # what it is counted in
    at_least: bool = False

    def __str__(self) -> str:
        return f"{'at least' if self.at_least else 'at most'} {self.figure:g} {self.of}"

    def holds(self, value: float) -> bool:
        return value >= self.figure if self.at_least else value <= self.figure


def at_least(figure: float, of: str) -> Limit:
    return Limit(figure, of, at_least=True)


def at_most(figure: float, of: str) -> Limit:
    return Limit(figure, of)


class Wanted(Enum):
    """What is asked of Ringdesk: the case that measures it, what is measured, and its limit."""

    NEW_CALL_RATE = ("ingest", "one new call, 16 connections: requests/s", at_least(0.8, "of the bare insert's"))
    NEW_CALL_P99 = ("ingest", "one new call, 16 connections: p99", at_most(1.5, "times the bare insert's"))
    OPEN_RATE = ("ingest", "the same, 100 pages open: requests/s", at_least(0.25, "of the bare insert's"))
    OPEN_P99 = ("ingest", "the same, 100 pages open: p99", at_most(50, "ms"))
    OPEN_LOST = ("ingest", "the same, 100 pages open: lost", at_most(0, "calls or showings"))
    CHAT_RATE = ("ingest", "chat only, 16 connections: requests/s", at_least(0.5, "of the bare answer's"))
    HEALTHCHECKS = ("ingest", "one new call, 16 connections: requests/s", at_least(20, "times healthchecks' pings"))
    SHOWN_P99 = ("live", "callback to the last of 500 pages, 10/s: p99", at_most(1.5, "times the bare broadcast's"))
    SHOWN_NCHAN = ("live", "callback to the last of 500 pages, 10/s: p99", at_most(2, "times nchan's"))
    CROWD_LOST = ("crowd", "1,000 pages, 50 calls/s, 60 s: lost", at_most(0, "calls or showings"))
    CROWD_P99 = ("crowd", "1,000 pages, 50 calls/s, 60 s: p99", at_most(250, "ms"))
    BURST = ("burst", "500 pages: deliveries/s", at_least(0.7, "of the bare broadcast's"))
    CLICK_P50 = ("rejects", "click to the request at the vendor, 50/s: p50", at_most(10, "ms"))
    CLICK_P99 = ("rejects", "click to the request at the vendor, 50/s: p99", at_most(30, "ms"))
    ANSWER_P99 = ("rejects", "vendor's answer to the last of 500 pages: p99", at_most(1.5, "times the bare broadcast's"))
    ANSWER_NCHAN = ("rejects", "vendor's answer to the last of 500 pages: p99", at_most(2, "times nchan's"))
    STUCK = ("stuck", "200 rejects stuck at the vendor: ingest's p99", at_most(1.5, "times its quiet p99"))
    MEMORY = ("memory", "memory, 500 pages open", at_most(150, "MiB"))
    SOAK_MEMORY = ("soak", "memory, over the second half of the soak", at_most(1, "MiB more a minute"))
    SOAK_FILES = ("soak", "descriptors and threads, over the soak", at_most(10, "more"))
    SOAK_LOST = ("soak", "an hour's load: lost", at_most(0, "calls, showings or rejects"))
    START = ("start", "start: ready", at_most(2, "s"))

    def __init__(self, case: str, what: str, limit: Limit) -> None:
        self.case = case
        self.what = what
        self.limit = limit

    def judge(self, results: Results, value: float | None, why_not: str = "") -> None:
        """Add the verdict. Takes: what was measured, or why that doesn't tell or is missing."""
        if why_not or value is None:
            goal = Goal(self.what, str(self.limit), why_not or "nothing was measured", None)
        else:
            goal = Goal(self.what, str(self.limit), f"{number(value)} {self.limit.of}", self.limit.holds(value))
        results.goals.append(goal)
