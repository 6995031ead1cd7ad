"""When a request may have come: while the event loop is held up, what arrives waits unseen, and the vendor's second runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

TICK = 0.05  # seconds
HELD_UP = 0.03  # seconds of delay from which on a tick counts as late
SEEN_AFTER = 0.02  # seconds after a late tick in which what waited is seen


class Stalls:
    """Start and stop it with the server, in its event loop."""

    def __init__(self) -> None:
        self._due = self._stalled_since = self._stalled_until = 0.0

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._due = time.perf_counter() + TICK
        self._timer = self._loop.call_later(TICK, self._tick)

    def stop(self) -> None:
        self._timer.cancel()

    def watch(self) -> Callable[[], float]:
        """A function that tells the seconds since a request that is first seen now may have come."""
        began = self._may_have_come_at(time.perf_counter())
        return lambda: time.perf_counter() - began

    def _may_have_come_at(self, now: float) -> float:
        if now > self._due + HELD_UP:  # the tick is late: the loop is only now getting to what waited
            return self._due
        if now < self._stalled_until + SEEN_AFTER:
            return self._stalled_since
        return now

    def _tick(self) -> None:
        now = time.perf_counter()
        if now > self._due + HELD_UP:
            self._stalled_since, self._stalled_until = self._due, now
        self._due = now + TICK
        self._timer = self._loop.call_later(TICK, self._tick)
