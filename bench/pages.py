"""Open pages, as browsers hold them, that note when each call was shown.

They are in a process of their own (pages_process.py), so that what it costs to receive is in no figure of whoever pushes.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from .servers import ROOT, CantMeasure

OPENED_WITHIN = 60.0  # seconds
SHOWN_WITHIN = 5.0  # seconds, from the last push on; what comes later counts as lost


@dataclass(frozen=True)
class Address:
    """Where pages open their sockets."""

    port: int
    path: str = "/"
    cookie: str = ""
    greeted: bool = True  # whether each is sent a text as soon as it is open


@dataclass(frozen=True)
class Shown:
    """What became of some calls on all pages."""

    last: dict[int, float]  # by id: when the last page was shown the call, by time.perf_counter; none that some page wasn't
    lost: int  # showings that are missing: calls times pages, at most
    closed: dict[str, int]  # pages that the server has hung up on, by close code
    card_bytes: int  # length of the last text that showed one call


class Wall:
    """All the pages that are open."""

    def __init__(self, process: Process, pages: int) -> None:
        self._process = process
        self.pages = pages

    async def shown(self, pks: Collection[int], status: str = "ringing", within: float = SHOWN_WITHIN) -> Shown:
        """What became of these calls: once all pages were shown all of them in this state, or so many seconds are over."""
        assert self._process.stdin
        asked = {"pks": list(pks), "status": status, "within": within}
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        said = await self.listen(within + OPENED_WITHIN)
        last = {int(pk): at for pk, at in said["last"].items()}
        return Shown(last, said["missing"], said["closed"], said["card bytes"])

    async def listen(self, within: float) -> dict[str, Any]:
        """Raises: CantMeasure where the process has come to an end, or says nothing."""
        assert self._process.stdout
        try:
            async with asyncio.timeout(within):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise CantMeasure(f"{self.pages} pages did not open, or said nothing within {within:.0f} s") from None
        if not line:
            raise CantMeasure(f"the process that holds {self.pages} pages came to an end")
        said: dict[str, Any] = json.loads(line)
        return said


@asynccontextmanager
async def open_pages(count: int, address: Address) -> AsyncIterator[Wall]:
    """This many pages, each of which has been sent its first text. They are cut off at the end."""
    arguments = [str(count), str(address.port), address.path, address.cookie, "greeted" if address.greeted else "-"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.pages_process", *arguments, cwd=ROOT, stdin=PIPE, stdout=PIPE, limit=2**26,
        start_new_session=True,
    )  # fmt: skip
    try:
        wall = Wall(process, count)
        await wall.listen(OPENED_WITHIN)
        yield wall
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
