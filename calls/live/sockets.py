"""One open page's socket, as the hub knows it: who looks at it, and what waits to be sent."""

from __future__ import annotations

import asyncio
import re
import secrets
from dataclasses import dataclass, field

from .frames import Text, Wire
from .render import Audience

LONGEST_QUEUE = 256  # texts

# Close codes (RFC 6455, 7.4.2: 4000 and up are the application's own)
SIGNED_OUT = 4401
TOO_SLOW = 4408
SILENT = 4409

SCREEN = re.compile(r"[\w-]{8,64}", re.ASCII)


def name_of_screen(given: str) -> str:
    """The name that a page gave its browser tab; a new one where it gave none, or nonsense."""
    return given if SCREEN.fullmatch(given) else secrets.token_hex(12)


@dataclass(eq=False)
class Socket:
    """One open page."""

    person_id: int
    session_key: str
    password: str  # the hash at the time of signing in; a change signs out
    audience: Audience
    screen: str = field(default_factory=lambda: name_of_screen(""))
    turn: int = 0  # to hear the beat
    heard_at: float | None = None  # by the event loop's clock; None: it never spoke, as clients that aren't pages of ours
    looking: int = 0  # the id of the call that the page's person looks at; 0: none
    wire: Wire | None = None
    queue: asyncio.Queue[str | int] = field(default_factory=lambda: asyncio.Queue(LONGEST_QUEUE))
    forwarding: bool = False  # whether something from the queue is being sent
    closing: bool = False

    def put(self, text: Text) -> None:
        """Send a text: at once where that can be, and else in turn. A socket that can't keep up is closed, and comes back to
        a fresh board."""
        if self.closing:
            return
        nothing_before = self.queue.empty() and not self.forwarding
        if nothing_before and self.wire and self.wire.write_frame(text.frame):
            return
        try:
            self.queue.put_nowait(text)
        except asyncio.QueueFull:
            self.close(TOO_SLOW)

    async def next(self) -> str | int:
        """What is to be sent next, once the last one was: a text, or the code to close with."""
        self.forwarding = False
        item = await self.queue.get()
        self.forwarding = True
        return item

    def close(self, code: int) -> None:
        """Have it closed with this code, before anything that still waits."""
        self.closing = True
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(code)
