"""Open pages: websockets that note when each call was first shown on them."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

OPENED_WITHIN = 30.0  # seconds
SHOWN_WITHIN = 5.0  # seconds, from the last push on; what comes later counts as lost
OPENED_AT_ONCE = 20

BY_CALL_ID = re.compile(rb'id="call-(\d+)"')
BY_MARK = re.compile(rb"bench-(\d+)\.")


def mark(number: int) -> str:
    """A nickname by which a call is known again on a page (BY_MARK)."""
    return f"bench-{number}."


@lru_cache(8)  # all pages are sent the same text
def calls_in(text: bytes, pattern: re.Pattern[bytes]) -> tuple[int, ...]:
    return tuple(int(number) for number in pattern.findall(text))


@dataclass
class Page:
    connection: ClientConnection
    known_by: re.Pattern[bytes]  # finds the numbers of calls in a message
    shown: dict[int, float] = field(default_factory=dict)  # by number: when for the first time, by time.perf_counter
    card_bytes: int = 0  # length of the last message that showed a call

    async def watch(self) -> None:
        """Note what is shown, until the connection ends."""
        try:
            while True:
                text = await self.connection.recv(decode=False)
                now = time.perf_counter()
                if numbers := calls_in(text, self.known_by):
                    self.card_bytes = len(text)
                    for number in numbers:
                        self.shown.setdefault(number, now)
        except ConnectionClosed:
            pass


@asynccontextmanager
async def open_pages(count: int, url: str, known_by: re.Pattern[bytes], cookie: str = "") -> AsyncIterator[list[Page]]:
    """This many pages, each of which has been sent its first message."""
    at_once = asyncio.Semaphore(OPENED_AT_ONCE)
    headers = {"Cookie": cookie} if cookie else {}
    pages: list[Page] = []

    async def open_one() -> None:
        async with at_once:
            connection = await connect(url, additional_headers=headers, compression=None, max_size=None)
            pages.append(Page(connection, known_by))
            await connection.recv()

    watching: list[asyncio.Task[None]] = []
    try:
        async with asyncio.timeout(OPENED_WITHIN):
            await asyncio.gather(*(open_one() for _ in range(count)))
        watching = [asyncio.create_task(page.watch()) for page in pages]
        yield pages
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*(page.connection.close() for page in pages))


async def lost(pages: Sequence[Page], numbers: Set[int]) -> int:
    """How many showings of these calls are missing, after giving them their time: calls times pages, at most."""
    until = time.perf_counter() + SHOWN_WITHIN
    while (missing := _missing(pages, numbers)) and time.perf_counter() < until:
        await asyncio.sleep(0.05)
    return missing


def _missing(pages: Sequence[Page], numbers: Set[int]) -> int:
    return sum(len(numbers - page.shown.keys()) for page in pages)
