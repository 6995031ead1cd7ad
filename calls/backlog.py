"""Callbacks that are safe on disk, and that the database hasn't taken yet: how many, and since when. Those of this process,
and those of the others, as far as these have said.

While there are any, calls are known of which no page can show anything.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import NamedTuple

from . import metrics

BELIEVED_FOR = 60.0  # seconds after a process last said it; it may be gone for good, and its disk with it


class Backlog(NamedTuple):
    callbacks: int
    since: datetime | None  # UTC; None: there are none


class _Told(NamedTuple):
    """What another process has said."""

    backlog: Backlog
    at: float  # by the monotonic clock


_own = Backlog(0, None)
_others: dict[str, _Told] = {}  # replaced, not changed, since several threads read it


def note(count: int) -> None:
    """So many wait in this process now. For the event loop's thread."""
    global _own
    _own = Backlog(count, (_own.since or datetime.now(UTC)) if count else None)
    metrics.SPOOLED.set(count)


def own() -> Backlog:
    """What waits in this process."""
    return _own


def heard(process: str, backlog: Backlog) -> None:
    """What waits in another process now, as it says. For the event loop's thread."""
    global _others
    others = {name: told for name, told in _others.items() if name != process and _is_believed(told)}
    _others = others | ({process: _Told(backlog, time.monotonic())} if backlog.callbacks else {})


def waiting() -> Backlog:
    """What waits in all processes."""
    backlogs = [_own, *(told.backlog for told in _others.values() if _is_believed(told))]
    since = min((backlog.since for backlog in backlogs if backlog.since), default=None)
    return Backlog(sum(backlog.callbacks for backlog in backlogs), since)


def _is_believed(told: _Told) -> bool:
    return time.monotonic() - told.at < BELIEVED_FOR
