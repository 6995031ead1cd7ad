"""Open pages that note which calls they were shown, and reconnect by themselves as a browser's page does."""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.desk import Desk
from tests.factory import PASSWORD

OPENED_WITHIN = 60.0  # seconds
OPENED_AT_ONCE = 20
OPENED_AGAIN_AFTER = 0.2  # seconds

DOUBTFUL = b"data-doubtful"
_CARD = re.compile(rb'id="call-(\d+)"')


@lru_cache(64)  # all pages are sent the same text
def calls_in(text: bytes) -> frozenset[int]:
    return frozenset(int(pk) for pk in _CARD.findall(text))


@dataclass
class Page:
    address: str
    cookie: str
    at_once: asyncio.Semaphore
    shown: dict[int, float] = field(default_factory=dict)  # by id of the call: when first, by time.perf_counter
    opened: int = 0  # how many times
    told_live: deque[float] = field(default_factory=lambda: deque(maxlen=1000))  # when it was told that it is, lately
    has_board: asyncio.Event = field(default_factory=asyncio.Event)

    async def keep_open(self) -> None:
        while True:
            with suppress(OSError, TimeoutError, WebSocketException):
                await self._stay()
            self.has_board.clear()
            await asyncio.sleep(OPENED_AGAIN_AFTER)

    async def _stay(self) -> None:
        async with self.at_once:
            connection = await connect(
                self.address, additional_headers={"Cookie": self.cookie}, compression=None, max_size=None
            )
        try:
            await self._watch(connection)
        finally:
            await connection.close()

    async def _watch(self, connection: ClientConnection) -> None:
        while True:
            text = await connection.recv(decode=False)
            now = time.perf_counter()
            if DOUBTFUL not in text:
                self.told_live.append(now)
            for pk in calls_in(text):
                self.shown.setdefault(pk, now)
            if not self.has_board.is_set():
                self.opened += 1
                self.has_board.set()


@dataclass
class Wall:
    """All the pages that are open."""

    pages: list[Page]

    def missing(self, pks: Collection[int]) -> int:
        """How many showings of these calls are missing: calls times pages, at most."""
        return sum(len(set(pks) - page.shown.keys()) for page in self.pages)

    async def are_live(self, since: float, within: float) -> float:
        """Until every page was told that it is, after this moment. Returns: how many seconds after it.

        Raises: AssertionError.
        """
        while not all(page.told_live and page.told_live[-1] > since for page in self.pages):
            assert time.perf_counter() < since + within, "not every page is live again"
            await asyncio.sleep(0.05)
        return max(next(at for at in page.told_live if at > since) for page in self.pages) - since

    async def show(self, pks: Collection[int], within: float) -> None:
        """Until every page was shown every one of these calls. Raises: AssertionError where that takes longer."""
        give_up_at = time.perf_counter() + within
        while missing := self.missing(pks):
            assert time.perf_counter() < give_up_at, f"{missing} of {len(pks)} × {len(self.pages)} showings are missing"
            await asyncio.sleep(0.1)

    def told_live(self, begin: float, end: float) -> int:
        """How often pages were told then that they are live. One that is told nothing for 4.5 s says itself that it may be
        stale."""
        return sum(begin < at < end for page in self.pages for at in page.told_live)

    def shown_by(self, pks: Collection[int]) -> float:
        """When the last page was shown the last of them, by time.perf_counter."""
        return max(page.shown[pk] for page in self.pages for pk in pks)


def cookie_of(desk: Desk, username: str) -> str:
    session = desk.server.sign_in(username, PASSWORD)
    return "; ".join(f"{name}={value}" for name, value in session.cookies.items())


@asynccontextmanager
async def open_pages(desk: Desk, username: str, number: int) -> AsyncIterator[Wall]:
    """So many pages, each of which has been sent its board."""
    cookie = await asyncio.to_thread(cookie_of, desk, username)
    at_once = asyncio.Semaphore(OPENED_AT_ONCE)
    address = f"ws://127.0.0.1:{desk.server.port}/ws/board/"
    wall = Wall([Page(address, cookie, at_once) for _ in range(number)])
    watching = [asyncio.create_task(page.keep_open()) for page in wall.pages]
    try:
        async with asyncio.timeout(OPENED_WITHIN):
            for page in wall.pages:
                await page.has_board.wait()
        yield wall
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
