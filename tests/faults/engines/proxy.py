"""A TCP proxy on loopback that delays what it is sent, or takes it and passes nothing on."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

AT_ONCE = 64 * 1024  # bytes


class Proxy:
    """Connections that lived through a partition are lost, though nobody hung up: as behind a firewall that forgot them."""

    def __init__(self, port_behind: int) -> None:
        self._port_behind = port_behind
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._connections: list[_Connection] = []
        self._partitioned = False
        self.delay = 0.0  # seconds, each way
        threading.Thread(target=self._take_connections, daemon=True).start()

    @contextmanager
    def partition(self) -> Iterator[None]:
        """Whatever is sent is taken, from both sides, and lost."""
        self._partitioned = True
        for connection in self._connections:
            connection.swallows = True
        try:
            yield
        finally:
            self._partitioned = False

    @contextmanager
    def slow(self, delay: float) -> Iterator[None]:
        """Whatever is sent takes so many seconds longer."""
        self.delay = delay
        try:
            yield
        finally:
            self.delay = 0.0

    def close(self) -> None:
        self._listener.close()
        for connection in self._connections:
            connection.close()

    def _take_connections(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                front, _ = self._listener.accept()
                connection = _Connection(self, front, self._partitioned)
                self._connections.append(connection)
                threading.Thread(target=connection.run, args=[self._port_behind], daemon=True).start()


class _Connection:
    def __init__(self, proxy: Proxy, front: socket.socket, swallows: bool) -> None:
        self._proxy = proxy
        self._front = front
        self._back: socket.socket | None = None
        self.swallows = swallows

    def run(self, port_behind: int) -> None:
        with suppress(OSError):
            if self.swallows:
                self._pump(self._front, self._front)
            else:
                self._back = socket.create_connection(("127.0.0.1", port_behind))
                threading.Thread(target=self._pump, args=[self._back, self._front], daemon=True).start()
                self._pump(self._front, self._back)
        self.close()

    def close(self) -> None:
        for end in filter(None, (self._front, self._back)):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(AT_ONCE):
                if self._proxy.delay:
                    time.sleep(self._proxy.delay)
                if not self.swallows:
                    target.sendall(data)
            if not self.swallows:
                target.shutdown(socket.SHUT_WR)
