"""Who has a page open, and which calls they look at: in this process, and in the others as far as these have said.

Each hub tells it on the way that changes take: when it changed, and again every 2 s, so that nothing lost stays lost and a
process that dies is forgotten. It is known in memory alone; what somebody looked at is stored nowhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Literal, NamedTuple, TypedDict

from ..prepared import LARGEST_ID
from . import publish
from .people import Online
from .sockets import Socket

LONGEST_MESSAGE = 64  # characters
EVERY = 2.0  # seconds
BELIEVED_FOR = 6.0  # seconds after a process last said it


class People(TypedDict):
    """One message on the channel layer."""

    type: Literal["people"]
    process: str
    online: list[list[int]]  # a person's id, and those of the calls that they look at


class _Told(NamedTuple):
    """What another process has said."""

    online: Online
    at: float  # by the monotonic clock


def read(message: str) -> int | None:
    """Which call a page says that its person looks at, in a message `{"looking": id}`, 0 for none. None for what no page of
    ours would say."""
    if len(message) > LONGEST_MESSAGE:
        return None
    try:
        call = json.loads(message)["looking"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return call if type(call) is int and 0 <= call <= LARGEST_ID else None


class Presence:
    """For one event loop."""

    def __init__(self) -> None:
        self._process = secrets.token_hex(8)
        self._own: Online = {}
        self._told: Online = {}  # what others believe of this process
        self._others: dict[str, _Told] = {}  # replaced, not changed, since several threads read it
        self._changed = asyncio.Event()

    def note(self, sockets: Iterable[Socket]) -> None:
        """These are the open ones of this process."""
        online: defaultdict[int, set[int]] = defaultdict(set)
        for socket in sockets:
            online[socket.person_id].update({socket.looking} - {0})
        self._own = {person: frozenset(calls) for person, calls in online.items()}
        if self._own != self._told:
            self._changed.set()

    def hear(self, people: People) -> bool:
        """Take what a hub told. Returns: whether it changes anything."""
        process = people["process"]
        if process == self._process:
            return False
        online = {person: frozenset(calls) for person, *calls in people["online"]}
        before = self._others.get(process)
        others = {name: told for name, told in self._others.items() if name != process and _is_believed(told)}
        self._others = others | ({process: _Told(online, time.monotonic())} if online else {})
        return online != (before.online if before else {})

    def online(self) -> Online:
        """In all processes together. For any thread."""
        found: defaultdict[int, frozenset[int]] = defaultdict(frozenset, self._own)
        for told in self._others.values():
            if _is_believed(told):
                for person, calls in told.online.items():
                    found[person] |= calls
        return dict(found)

    async def keep_telling(self) -> None:
        """From now on. It ends also where its cancellation was swallowed (hub.py). A process without pages says nothing."""
        task = asyncio.current_task()
        while not (task and task.cancelling()):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY):
                    await self._changed.wait()
            self._changed.clear()
            if self._own or self._told:
                await self._tell(self._own)

    async def say_goodbye(self) -> None:
        """Have nobody believe any longer that somebody is here."""
        if self._told:
            await self._tell({})

    async def _tell(self, online: Online) -> None:
        self._told = online
        people: People = {
            "type": "people",
            "process": self._process,
            "online": [[person, *calls] for person, calls in online.items()],
        }
        with contextlib.suppress(Exception):  # it is told again
            await publish.send(people)


def _is_believed(told: _Told) -> bool:
    return time.monotonic() - told.at < BELIEVED_FOR
