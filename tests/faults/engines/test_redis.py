"""Redis is away, or unwell, for a while: calls are stored and rejected all the same, and no page that may not know of one is
told that it is live."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from calls.vendor.sandbox import Sandbox
from tests.factory import PASSWORD
from tests.faults.aside import aside
from tests.faults.clicks import click, session_key_of
from tests.faults.load import spread, traffic_to
from tests.faults.pages import open_pages
from tests.faults.scene import Scene
from tests.server import running_server

from .proxy import Proxy
from .redis import Redis

pytestmark = [pytest.mark.engineless, pytest.mark.by_two]

CALLS, CHATS = 20, 30  # a second
STALL = 1.0  # seconds: the vendor hangs up
STALE_WITHIN = 4.5  # seconds until no page is told any more that it is live; without a word it says so itself as long after
SHOWN_WITHIN = 6.0  # seconds, by looking into the database
LIVE_WITHIN = 15.0  # seconds


@dataclass
class Stage:
    """What a scenario plays on: a server that reaches its Redis by way of a proxy."""

    scene: Scene
    redis: Redis
    proxy: Proxy


@pytest.fixture
def stage(tmp_path: Path, sandbox: Sandbox) -> Iterator[Stage]:
    redis = Redis(tmp_path / "redis.log")
    redis.start()
    try:
        with closing(Proxy(redis.port)) as proxy:
            folder = tmp_path / "data"
            folder.mkdir()
            with running_server(folder, REDIS_URL=f"redis://127.0.0.1:{proxy.port}/0") as server:
                yield Stage(Scene.at(server, sandbox), redis, proxy)
    finally:
        redis.stop()


@contextmanager
def restarted(stage: Stage) -> Iterator[None]:
    stage.redis.stop()
    yield
    stage.redis.start()


def halted(stage: Stage) -> AbstractContextManager[None]:
    return stage.redis.halted()


def cut_off(stage: Stage) -> AbstractContextManager[None]:
    """What is sent is taken and lost; connections from before are never heard of again."""
    return stage.proxy.partition()


def full_up(stage: Stage) -> AbstractContextManager[None]:
    return stage.redis.full()


def slow(stage: Stage) -> AbstractContextManager[None]:
    return stage.proxy.slow(0.5)


@pytest.mark.parametrize(("fault", "seconds", "seconds_in_full"), [(restarted, 8, 20), (halted, 12, 40), (cut_off, 12, 40)])
def test_without_redis_calls_are_stored_and_rejected_and_pages_say_that_they_may_be_stale(
    stage: Stage,
    full: bool,
    say: Callable[[str], None],
    fault: Callable[[Stage], AbstractContextManager[object]],
    seconds: float,
    seconds_in_full: float,
) -> None:
    lasts, scene = seconds_in_full if full else seconds, stage.scene

    async def run() -> None:
        session = await asyncio.to_thread(session_key_of, scene.server, scene.agent, PASSWORD)
        async with traffic_to(scene.desk) as traffic, open_pages(scene.desk, scene.agent, 3) as wall:
            load = asyncio.create_task(traffic.pace(lasts + 3, CALLS, CHATS))
            await traffic.come_to(30)
            [ringing, *_] = await asyncio.to_thread(scene.pks, traffic.pushed[:1])
            async with aside(fault(stage)):
                began = time.perf_counter()
                clicks = [asyncio.to_thread(click, scene.server, session, ringing) for _ in range(3)]
                answers = await asyncio.gather(*clicks)
                assert all('data-status="rejected"' in answer.text or "rejecting" in answer.text for answer in answers)
                assert len(scene.desk.vendor.rejects) == 1
                await asyncio.sleep(began + lasts - SHOWN_WITHIN - time.perf_counter())
                early = list(traffic.pushed)
                await asyncio.to_thread(scene.all_stored, early, STALL)
                await wall.show(await asyncio.to_thread(scene.pks, early), SHOWN_WITHIN)
                await asyncio.sleep(began + lasts - time.perf_counter())
                ended = time.perf_counter()
                assert wall.told_live(began + STALE_WITHIN, ended) == 0
                assert await asyncio.to_thread(scene.spooled) == 0
            healed = await wall.are_live(ended, LIVE_WITHIN)
            await load
            assert set(traffic.statuses) == {200}
            assert max(answer.seconds for answer in traffic.answers) < STALL
            pks = await asyncio.to_thread(scene.pks, traffic.pushed)
            assert len(pks) == (n := len(traffic.pushed))
            await wall.show(pks, SHOWN_WITHIN)
            await asyncio.to_thread(scene.reject_some, pks[1:])
            say(
                f"{lasts} s; {spread(traffic.answers)}; pages live again {healed:.1f} s afterwards; "
                f"sent {n}, stored {n}, shown {n}, rejected exactly once"
            )

    asyncio.run(run())


@pytest.mark.parametrize(("fault", "within"), [(full_up, 1.0), (slow, SHOWN_WITHIN)])
def test_a_redis_that_is_full_or_slow_costs_no_call_and_no_page_for_long(
    stage: Stage,
    full: bool,
    say: Callable[[str], None],
    fault: Callable[[Stage], AbstractContextManager[object]],
    within: float,
) -> None:
    lasts, scene = 30 if full else 8, stage.scene

    async def run() -> None:
        async with traffic_to(scene.desk) as traffic, open_pages(scene.desk, scene.agent, 3) as wall:
            async with aside(fault(stage)):
                began = time.perf_counter()
                await traffic.pace(lasts, CALLS, CHATS)
                pks = await asyncio.to_thread(scene.pks, traffic.pushed)
                await wall.show(pks, within)
                ended = time.perf_counter()
            assert set(traffic.statuses) == {200}
            assert max(answer.seconds for answer in traffic.answers) < STALL
            assert len(pks) == (n := len(traffic.pushed))
            pushed = {answer.voipid: answer.pushed_at for answer in traffic.answers}
            late = max(wall.shown_by([pk]) - pushed[voipid] for pk, voipid in zip(pks, scene.voipids(pks), strict=True))
            assert late < within
            live = wall.told_live(began, ended)
            await asyncio.to_thread(scene.reject_some, pks)
            say(
                f"{lasts} s; {spread(traffic.answers)}; the last page showed each call within {late:.2f} s; told to be live "
                f"{live} times; sent {n}, stored {n}, shown {n}, rejected exactly once"
            )

    asyncio.run(run())
