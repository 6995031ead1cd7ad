"""How long a request may have waited before anybody looked: the time that the event loop was held up counts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from calls.stalls import HELD_UP, TICK, Stalls

pytestmark = pytest.mark.engineless

HELD = 0.3  # seconds


@asynccontextmanager
async def started() -> AsyncIterator[Stalls]:
    stalls = Stalls()
    stalls.start()
    try:
        yield stalls
    finally:
        stalls.stop()


async def on_time(stalls: Stalls) -> None:
    """Until the loop was held up by nothing for a while, whatever else this machine does."""
    while True:
        await asyncio.sleep(0)
        began = time.perf_counter()
        await asyncio.sleep(4 * TICK)
        if time.perf_counter() - began < 4 * TICK + HELD_UP / 2 and stalls.watch()() < HELD_UP:
            return


def test_a_request_that_comes_to_a_loop_that_is_free_came_just_now() -> None:
    async def run() -> tuple[float, float]:
        async with started() as stalls:
            await on_time(stalls)
            seconds = stalls.watch()
            began = time.perf_counter()
            at_first = seconds()
            await asyncio.sleep(0.1)
            return at_first, abs(seconds() - (time.perf_counter() - began))

    at_first, off = asyncio.run(run())
    assert at_first < TICK
    assert off < TICK


def seen_after_a_hold_up(look: Callable[[Stalls], float]) -> float:
    """What this sees that has waited while the loop was held up; the tick is late as well."""

    async def run() -> float:
        async with started() as stalls:
            await on_time(stalls)
            seen: asyncio.Future[float] = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(lambda: seen.set_result(look(stalls)))
            time.sleep(HELD)
            return await seen

    return asyncio.run(run())


def test_a_request_that_is_seen_after_a_hold_up_may_have_come_at_its_beginning() -> None:
    assert seen_after_a_hold_up(lambda stalls: stalls.watch()()) >= HELD - TICK


def test_a_request_that_is_seen_right_after_the_late_tick_may_have_come_before() -> None:
    def look(stalls: Stalls) -> float:
        stalls._tick()
        stalls.stop()  # that tick's own timer: the one before it is still to come
        return stalls.watch()()

    assert seen_after_a_hold_up(look) >= HELD - TICK


def test_a_hold_up_is_forgotten_soon() -> None:
    async def run() -> float:
        async with started() as stalls:
            await on_time(stalls)
            time.sleep(HELD)
            await on_time(stalls)
            return stalls.watch()()

    assert asyncio.run(run()) < HELD - TICK
