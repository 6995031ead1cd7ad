"""For how long PostgreSQL's answer is waited for.

A database that is gone says so. One that hangs, or a proxy that takes what it is sent and answers nothing, would be waited
for by a thread for ever, and all that depends on that thread with it. So in the server no statement is waited for without
end. SQLite is in the process: it waits for locks alone, and for 5 s.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import connection

# Seconds, for what is tried again, or somebody waits for who can't be kept waiting. Longer than locks are waited for.
HURRIED = 6.0
SERVER = 20.0  # for pages, reports and exports

# When PostgreSQL gives up a statement by itself, so that none stays behind that nobody waits for any more. Later than
# anybody gives up, since a commit that waits for a standby counts as done once PostgreSQL no longer waits for that.
GIVEN_UP = "-c statement_timeout=25s"

_within: ContextVar[float | None] = ContextVar("within")
_by_default: float | None = None  # commands wait for as long as it takes


def hurry() -> None:
    """From now on this process, which is a server, waits for nothing without end. For connections made after this."""
    global _by_default
    if _by_default is None and connection.vendor == "postgresql":
        _by_default = SERVER
        options = connection.settings_dict["OPTIONS"]  # shared by the connections of all threads
        options["options"] = f"{options.get('options', '')} {GIVEN_UP}".strip()


def in_seconds() -> float | None:
    """For how long the answer to one statement is waited for; None: without end."""
    return _within.get(_by_default)


@contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """Wait no longer than this for each statement of this thread."""
    token = _within.set(seconds)
    try:
        yield
    finally:
        _within.reset(token)


@contextmanager
def without_end() -> Iterator[None]:
    """For statements that take minutes, such as the making of an index."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', '0', false), set_config('statement_timeout', '0', false)")
        with within(None):
            yield
        cursor.execute("RESET lock_timeout")
        cursor.execute("RESET statement_timeout")
