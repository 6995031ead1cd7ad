"""Callbacks of this process that are safe on disk, and that the database hasn't taken yet: how many, and since when.

While there are any, calls are known of which no page can show anything.
"""

from __future__ import annotations

from datetime import UTC, datetime

from . import metrics

_count = 0
_since: datetime | None = None


def note(count: int) -> None:
    """So many wait now. For the event loop's thread."""
    global _count, _since
    _since = (_since or datetime.now(UTC)) if count else None
    _count = count
    metrics.SPOOLED.set(count)


def waiting() -> tuple[int, datetime | None]:
    """How many wait, and since when there have been any (UTC)."""
    return _count, _since
