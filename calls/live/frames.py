"""Texts past ASGI, which does much for each: to pages, as frames that are made once for all of them, and from pages."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Protocol

from websockets.frames import Frame, Opcode

WIRE = "ringdesk.wire"  # the extension of the ASGI scope by which a server that has it offers a socket's `Wire`


class Wire(Protocol):
    """One socket, as the server has it."""

    hear: Callable[[str], None] | None  # is given each text that comes, in place of the application, once it is set

    def write_frame(self, frame: bytes) -> bool:
        """Write a whole frame at once. Returns: whether it was taken, which it isn't while the peer is behind."""


class Text(str):
    """A text for several sockets."""

    @cached_property
    def frame(self) -> bytes:
        """As a server's unmasked text frame (RFC 6455, 5.2)."""
        return bytes(Frame(Opcode.TEXT, self.encode()).serialize(mask=False))
