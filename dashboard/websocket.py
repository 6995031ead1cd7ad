"""Sockets that many get the same text by, and how those end whose peer doesn't read, or doesn't make sense."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from calls.live.frames import WIRE

STUCK_AFTER = 5.0  # seconds in which a full buffer gets no shorter


class Protocol(WebSocketsSansIOProtocol):
    """uvicorn's, but it cuts off a peer that takes nothing: a frozen browser, or one behind a dead link.

    uvicorn would wait until the buffer has been sent, before a text as before a farewell, and so for ever. A peer that is
    only slow is left in peace.
    """

    _watch: asyncio.TimerHandle | None = None

    hear: Callable[[str], None] | None = None

    async def run_asgi(self) -> None:
        self.scope["extensions"][WIRE] = self  # type: ignore[assignment]
        await super().run_asgi()

    def write_frame(self, frame: bytes) -> bool:
        """See `calls.live.frames.Wire`."""
        if self.close_sent or self.transport.is_closing() or not self.writable.is_set():
            return False
        self.transport.write(frame)
        return True

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_from(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        self._stop_watching()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        super().connection_lost(exc)

    def keepalive_timeout(self) -> None:
        """The peer answers no ping, so it would read no farewell either."""
        self.transport.abort()

    def send_receive_event_to_app(self) -> None:
        """A peer's broken text is no error of ours, as which uvicorn would log it. A good one is heard at once: on its way
        through ASGI it would cost ten times as much."""
        if self.curr_msg_data_type != "text" or self.close_sent:
            super().send_receive_event_to_app()
            return
        try:
            text = b"".join(self.frames).decode()
        except UnicodeDecodeError:
            self.transport.abort()
            return
        if self.hear:
            self.frames = []
            self.hear(text)
        else:
            super().send_receive_event_to_app()

    def _watch_from(self, left: int) -> None:
        self._watch = self.loop.call_later(STUCK_AFTER, self._cut_off_if_stuck, left)

    def _cut_off_if_stuck(self, left_before: int) -> None:
        left = self.transport.get_write_buffer_size()
        if left < left_before:
            self._watch_from(left)
        else:
            self.transport.abort()

    def _stop_watching(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
