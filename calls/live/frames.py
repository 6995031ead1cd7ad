"""Texts as sockets send them: made once for all of them, and written past what ASGI does for each."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from websockets.frames import Frame, Opcode

# The extension of the ASGI scope by which a server that has it offers a socket's `WriteFrame`.
WRITE_FRAME = "ringdesk.write_frame"

# Writes a whole frame at once. Returns: whether it was taken, which it isn't while the peer is behind.
WriteFrame = Callable[[bytes], bool]


class Text(str):
    """A text for several sockets."""

    @cached_property
    def frame(self) -> bytes:
        """As a server's unmasked text frame (RFC 6455, 5.2)."""
        return bytes(Frame(Opcode.TEXT, self.encode()).serialize(mask=False))
