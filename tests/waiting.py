"""Waiting for what comes by itself."""

import time
from collections.abc import Callable


def eventually(holds: Callable[[], bool], within: float = 10.0) -> None:
    """Until this holds. Raises: AssertionError where it doesn't within so many seconds."""
    give_up_at = time.monotonic() + within
    while not holds():
        assert time.monotonic() < give_up_at, "it never came to that"
        time.sleep(0.02)
