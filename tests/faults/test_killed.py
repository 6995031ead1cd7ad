"""A server that is killed loses nothing that it answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from .aside import aside
from .load import Traffic, spread, traffic_to
from .pages import open_pages
from .scene import Scene

pytestmark = pytest.mark.alone

LINES = 16
CALL_EVERY = 3  # callbacks; a board shows at most 1,000 calls
STORED_WITHIN = 20.0  # seconds


@pytest.mark.parametrize("locked", [False, True], ids=["at full speed", "while the database is locked"])
def test_a_server_that_is_killed_loses_nothing(scene: Scene, full: bool, say: Callable[[str], None], locked: bool) -> None:
    callbacks, kills = (2700, 3) if full else (2000, 1)

    async def run() -> None:
        async with traffic_to(scene.desk, LINES) as traffic, open_pages(scene.desk, scene.agent, 3) as wall:
            rush = asyncio.create_task(traffic.rush(callbacks, LINES, CALL_EVERY))
            for kill in range(kills):
                await traffic.come_to((kill + 1) * callbacks // (kills + 1) - 300)
                if locked:
                    await _kill_and_start_while_locked(scene, traffic)
                else:
                    await _kill_and_start(scene)
            await rush
            assert set(traffic.statuses) == {200, None}
            assert traffic.statuses[None] <= kills * 2 * LINES  # under way, or only just connected, when it was killed
            accepted = traffic.accepted
            await asyncio.to_thread(scene.all_stored, accepted, STORED_WITHIN)
            pks = scene.pks(accepted)
            await wall.show(pks, STORED_WITHIN)
            scene.reject_some(pks)
            say(
                f"killed {kills} times; sent {len(traffic.answers)} callbacks, {traffic.statuses[None]} not answered, "
                f"{spread(traffic.answers)}; of calls answered {len(accepted)}, stored {len(pks)}, shown {len(pks)}, "
                "rejected exactly once"
            )
            assert len(pks) == len(accepted)

    asyncio.run(run())


async def _kill_and_start(scene: Scene) -> None:
    await asyncio.to_thread(scene.server.kill)
    await asyncio.to_thread(scene.server.start)


async def _kill_and_start_while_locked(scene: Scene, traffic: Traffic) -> None:
    """With callbacks in the spool, and more to come before the database is free."""
    async with aside(scene.server.database.locked()):
        await traffic.come_to(len(traffic.answers) + 300)
        assert await asyncio.to_thread(scene.spooled) > 0
        await _kill_and_start(scene)
        await traffic.come_to(len(traffic.answers) + 100)
        assert await asyncio.to_thread(scene.spooled) > 0
