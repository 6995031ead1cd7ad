"""A restart in the middle of the day, with every desk's page open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from .load import spread, traffic_to
from .pages import open_pages
from .scene import Scene

pytestmark = pytest.mark.alone

CALLS, CHATS = 20, 30  # a second
LASTS = 4  # seconds from one restart to the next
SHOWN_WITHIN = 20.0  # seconds


def test_a_restart_under_load_loses_nothing_and_every_page_comes_back(
    scene: Scene, full: bool, say: Callable[[str], None]
) -> None:
    pages, restarts = (200, 3) if full else (60, 1)

    async def run() -> None:
        async with traffic_to(scene.desk) as traffic, open_pages(scene.desk, scene.agent, pages) as wall:
            load = asyncio.create_task(traffic.pace(2 + LASTS * restarts, CALLS, CHATS))
            took = []
            for restart in range(restarts):
                await traffic.come_to(50 + restart * LASTS * (CALLS + CHATS))
                began = time.perf_counter()
                await asyncio.to_thread(scene.server.stop)
                await asyncio.to_thread(scene.server.start)
                took.append(time.perf_counter() - began)
                async with asyncio.timeout(SHOWN_WITHIN):
                    for page in wall.pages:
                        await page.has_board.wait()
            await load
            assert set(traffic.statuses) <= {200, None}  # whoever asks in between finds nobody
            accepted = traffic.accepted
            await asyncio.to_thread(scene.all_stored, accepted, SHOWN_WITHIN)
            pks = scene.pks(accepted)
            await wall.show(pks, SHOWN_WITHIN)
            assert min(page.opened for page in wall.pages) == restarts + 1
            scene.reject_some(pks)
            n = len(accepted)
            say(
                f"{restarts} restarts of {max(took):.1f} s with {pages} pages; "
                f"callbacks not answered: {traffic.statuses[None]}; {spread(traffic.answers)}; "
                f"sent and answered {n}, stored {len(pks)}, shown {len(pks)} on each page, rejected exactly once"
            )
            assert len(pks) == n

    asyncio.run(run())
