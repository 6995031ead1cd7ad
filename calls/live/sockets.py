"""One open page's socket, as the hub knows it: who looks at it, and what waits to be sent."""

from __future__ import annotations

import asyncio
import re
import secrets
from dataclasses import dataclass, field

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
    heard_at: float | None = None  # by the event loop's clock; None: it never spoke, as clients that aren't pages of ours
    queue: asyncio.Queue[str | int] = field(default_factory=lambda: asyncio.Queue(LONGEST_QUEUE))
    closing: bool = False

    def put(self, text: str) -> None:
        """Queue a text. A socket that can't keep up is closed, and comes back to a fresh board."""
        if self.closing:
            return
        try:
            self.queue.put_nowait(text)
        except asyncio.QueueFull:
            self.close(TOO_SLOW)

    def close(self, code: int) -> None:
        """Have it closed with this code, before anything that still waits."""
        self.closing = True
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(code)
