"""A flood of chat messages, with calls among them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from .load import percentile, spread, traffic_to
from .pages import open_pages
from .scene import Scene

pytestmark = pytest.mark.alone

CALLS, CHATS = 20, 500  # a second
PAGES = 10
STALL = 1.0  # seconds: the vendor hangs up
SHOWN_WITHIN = 10.0  # seconds


def test_a_flood_of_chat_messages_holds_up_no_call(scene: Scene, full: bool, say: Callable[[str], None]) -> None:
    seconds = 60 if full else 6

    async def run() -> None:
        async with traffic_to(scene.desk) as traffic, open_pages(scene.desk, scene.agent, PAGES) as wall:
            await traffic.pace(seconds, CALLS, CHATS)
            assert set(traffic.statuses) == {200}
            pks = scene.pks(traffic.pushed)
            await wall.show(pks, SHOWN_WITHIN)
            scene.reject_some(pks)
            n = len(traffic.pushed)
            say(
                f"{traffic.statuses[200]} callbacks in {seconds} s, {spread(traffic.answers)}; "
                f"calls alone: {spread(answer for answer in traffic.answers if answer.voipid)}; "
                f"sent {n}, stored {len(pks)}, shown {len(pks)} on each of {PAGES} pages, rejected exactly once"
            )
            assert len(pks) == n
            taken = [answer.seconds for answer in traffic.answers]
            assert max(taken) < STALL
            if full:
                assert percentile(taken, 0.99) < 100

    asyncio.run(run())
