"""Calls that keep coming while something is done to a cluster, and pages that watch; none may be lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.desk import Desk
from tests.faults.load import Traffic, traffic_to
from tests.faults.pages import open_pages
from tests.waiting import eventually

CALLS = 20  # a second
LINES = 16  # connections of the vendor
PAGES = 10
WITHIN = 20.0  # seconds


@asynccontextmanager
async def nothing_is_lost(desk: Desk, agent: str) -> AsyncIterator[None]:
    """Of the calls that come meanwhile: each callback is answered with 200, and each call is stored once and shown on every
    page that stays open."""
    async with traffic_to(desk, LINES) as traffic, open_pages(desk, agent, PAGES) as wall:
        enough = asyncio.Event()
        calling = asyncio.create_task(_keep_calling(traffic, enough))
        try:
            yield
        finally:
            enough.set()
            await calling
        assert traffic.statuses == Counter({200: len(traffic.pushed)})
        await asyncio.to_thread(eventually, lambda: len(_stored(desk)) >= len(traffic.pushed), WITHIN)
        stored = _stored(desk)
        assert sorted(voipid for voipid, _ in stored) == sorted(traffic.pushed)
        await wall.show([pk for _, pk in stored], WITHIN)


async def _keep_calling(traffic: Traffic, enough: asyncio.Event) -> None:
    calls = []
    while not enough.is_set():
        calls.append(asyncio.ensure_future(traffic.call()))
        await asyncio.sleep(1 / CALLS)
    await asyncio.gather(*calls)


def _stored(desk: Desk) -> list[tuple[str, int]]:
    """The desk's calls, by the vendor's id and ours."""
    rows = desk.server.sql(
        "SELECT voipid, calls_call.id FROM calls_call JOIN calls_account ON account_id = calls_account.id WHERE wxid = ?",
        desk.wxid,
    )
    return [(str(voipid), int(str(pk))) for voipid, pk in rows]
