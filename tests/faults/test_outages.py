"""The database can't be written to for a while: every callback is answered in time, and stored in its order afterwards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.diskfull import room_for

from .aside import aside
from .load import spread, traffic_to
from .pages import open_pages
from .scene import Scene

pytestmark = pytest.mark.alone

CALLS, CHATS = 20, 30  # a second
STALL = 1.0  # seconds: the vendor hangs up
STORED_WITHIN = 20.0  # seconds
ROOM_PER_CALL = 800  # bytes: so many a call takes in the spool, and many more in the database


def locked(scene: Scene, seconds: float) -> AbstractContextManager[object]:
    """Somebody else holds the write lock."""
    return scene.server.database.locked()


def disk_full(scene: Scene, seconds: float) -> AbstractContextManager[object]:
    """Nothing grows any more. What was reserved for the spool can be written to, as on a disk that is full."""
    return room_for(int(seconds * CALLS * ROOM_PER_CALL), scene.server.process.pid)


def gone(scene: Scene, seconds: float) -> AbstractContextManager[object]:
    return scene.server.database.gone()


@pytest.mark.parametrize(
    ("fault", "seconds", "seconds_in_full"),
    [(locked, 6, 20), pytest.param(disk_full, 4, 20, marks=pytest.mark.sqlite_only), (gone, 4, 15)],
)
def test_an_outage_of_the_database_costs_no_callback_and_no_order(
    scene: Scene,
    full: bool,
    say: Callable[[str], None],
    fault: Callable[[Scene, float], AbstractContextManager[object]],
    seconds: float,
    seconds_in_full: float,
) -> None:
    lasts = seconds_in_full if full else seconds

    async def run() -> None:
        async with traffic_to(scene.desk) as traffic, open_pages(scene.desk, scene.agent, 3) as wall:
            load = asyncio.create_task(traffic.pace(lasts + 1.5, CALLS, CHATS))
            await traffic.come_to(30)
            async with aside(fault(scene, lasts)):
                await asyncio.sleep(lasts)
                waiting = await asyncio.to_thread(scene.spooled)
            over_at, early = time.perf_counter(), len(traffic.pushed)
            await load
            assert set(traffic.statuses) == {200}
            assert max(answer.seconds for answer in traffic.answers) < STALL
            assert waiting > lasts * CALLS / 2
            await asyncio.to_thread(scene.all_stored, traffic.pushed, STORED_WITHIN)
            pks = scene.pks(traffic.pushed)
            await wall.show(pks, STORED_WITHIN)
            assert traffic.overtaken(scene.voipids(pks)) == []
            scene.reject_some(pks)
            n = len(traffic.pushed)
            assert len(pks) == n
            say(
                f"{lasts} s, {waiting:.0f} in the spool; {spread(traffic.answers)}; those that waited all shown "
                f"{wall.shown_by(pks[:early]) - over_at:.1f} s afterwards; "
                f"sent {n}, stored {n}, shown {n}, rejected exactly once"
            )

    asyncio.run(run())
