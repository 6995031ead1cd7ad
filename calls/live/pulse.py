"""The pulse: what each hub tells all hubs every second, itself among them, on the way that changes take.

Channel layers fail without a word: messages are lost, a connection hangs, or is made anew while something was published. A
hub that doesn't hear its own pulse in time can't know what it misses.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import secrets
import time
from datetime import datetime
from typing import Literal, TypedDict

from .. import backlog
from ..backlog import Backlog
from . import publish

logger = logging.getLogger(__name__)

EVERY = 1.0  # seconds
BACK_WITHIN = 3.5  # seconds
GIVEN_UP_AFTER = 7.0  # seconds, after which the subscription is made anew


class Report(TypedDict):
    """One message on the channel layer."""

    type: Literal["report"]
    process: str
    number: int
    sent_at: float  # by the sender's monotonic clock
    waiting: int  # callbacks that the sender's process has on disk, for the database
    since: str | None  # when the first of them came, in ISO format


class Silent(Exception):
    """Nothing of what is sent comes back."""


class Pulse:
    """For one event loop."""

    def __init__(self) -> None:
        self._process = secrets.token_hex(8)
        self._number = 0
        self._told = 0  # callbacks that others believe to wait here
        self._back: Report | None = None  # the last of its own that came back
        self._began_at = math.inf  # by the monotonic clock
        self._was_well = False

    @property
    def has_come_back(self) -> bool:
        """Whether it ever did."""
        return self._back is not None

    @property
    def is_well(self) -> bool:
        """Whether what is published arrives here."""
        return self._age_of_last() < BACK_WITHIN

    async def keep_sending(self) -> None:
        """From now on; from when the subscription stands. It ends also where its cancellation was swallowed (hub.py)."""
        self._began_at = time.monotonic()
        task = asyncio.current_task()
        while not (task and task.cancelling()):
            await self._send(backlog.own())
            await asyncio.sleep(EVERY)
            self._log_changes()

    async def say_goodbye(self) -> None:
        """Have nobody believe any longer that something waits here."""
        if self._told:
            await self._send(Backlog(0, None))

    def check(self) -> None:
        """Raises: Silent where nothing has come back for long, though it was sent."""
        if min(self._age_of_last(), time.monotonic() - self._began_at) > GIVEN_UP_AFTER:
            raise Silent(f"the channel layer has brought nothing for {GIVEN_UP_AFTER:.0f} s")

    def hear(self, report: Report) -> bool:
        """Take what a hub told. Returns: whether something that was sent before it was lost on the way."""
        if report["process"] != self._process:
            since = datetime.fromisoformat(report["since"]) if report["since"] else None
            backlog.heard(report["process"], Backlog(report["waiting"], since))
            return False
        before, self._back = self._back, report
        return before is not None and report["number"] != before["number"] + 1

    def _age_of_last(self) -> float:
        return time.monotonic() - self._back["sent_at"] if self._back else math.inf

    async def _send(self, waiting: Backlog) -> None:
        self._number += 1
        self._told = waiting.callbacks
        since = waiting.since.isoformat() if waiting.since else None
        report: Report = {
            "type": "report",
            "process": self._process,
            "number": self._number,
            "sent_at": time.monotonic(),
            "waiting": waiting.callbacks,
            "since": since,
        }
        with contextlib.suppress(Exception):  # that it didn't come back says it all
            await publish.send(report)

    def _log_changes(self) -> None:
        if self._was_well and not self.is_well:
            logger.error("the channel layer doesn't bring what is published; pages say that they may be stale")
        elif self.is_well and not self._was_well and self._number > 1:
            logger.info("the channel layer brings what is published")
        self._was_well = self.is_well
