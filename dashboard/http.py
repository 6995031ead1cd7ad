"""How HTTP connections end when the server is told to stop."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

LEFT_OPEN = 0.5  # seconds, at most


class Protocol(HttpToolsProtocol):
    """uvicorn's, but idle connections are left open for a moment, and what still comes is answered and closed then.

    uvicorn would hang up on them at once. A callback that was just being sent would be lost, as the vendor pushes it once.
    """

    _leaving = False

    def shutdown(self) -> None:
        self._leaving = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(LEFT_OPEN, super().shutdown)
        else:
            super().shutdown()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self._leaving and self.cycle is not None:
            self.cycle.keep_alive = False

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        socket = self.transport.get_protocol()
        if self._leaving and isinstance(socket, WebSocketsSansIOProtocol):  # nobody else would tell it
            socket.shutdown()
