"""What a server does with the connections that are open when it is told to stop."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .server import Server, running_server

ASK = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    with running_server(tmp_path) as running:
        yield running


@contextmanager
def idle_connection(server: Server) -> Iterator[socket.socket]:
    """One that has been used, and is kept open for the next request."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        assert b"HTTP/1.1 200" in ask(connection)
        yield connection


def ask(connection: socket.socket) -> bytes:
    connection.sendall(ASK)
    answer = b""
    while not answer.endswith(b"\r\n\r\nok"):
        answer += (piece := connection.recv(4096))
        assert piece, f"it hung up after {answer!r}"
    return answer


def stop_listening(server: Server) -> None:
    """Tell it to stop, until it takes no more connections."""
    server.process.send_signal(signal.SIGTERM)
    while True:
        try:
            socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
        except ConnectionError:  # refused, or cut off while it waited to be taken
            return


def test_what_is_just_being_sent_when_the_server_stops_is_answered_and_nothing_after_it(own_server: Server) -> None:
    with idle_connection(own_server) as connection:
        stop_listening(own_server)
        assert b"connection: close" in ask(connection)
        assert connection.recv(1) == b""


def test_idle_connections_do_not_keep_a_server_from_stopping(own_server: Server) -> None:
    with idle_connection(own_server) as connection:
        stop_listening(own_server)
        assert connection.recv(1) == b""
        own_server.process.wait(timeout=5)
