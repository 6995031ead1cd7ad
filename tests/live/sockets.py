"""Sockets as pages open them, by hand."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.factory import PASSWORD
from tests.server import Server

WITHIN = 10  # seconds


@contextmanager
def socket_of(
    server: Server, username: str = "", language: str = "", screen: str = "", **headers: str
) -> Iterator[ClientConnection]:
    """A page's socket; signed in where a username is given."""
    cookies = dict(server.sign_in(username, PASSWORD).cookies) if username else {}
    if language:
        cookies["django_language"] = language
    given = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} | headers
    address = f"ws://127.0.0.1:{server.port}/ws/board/" + (f"?screen={screen}" if screen else "")
    with connect(address, additional_headers=given, compression=None, max_size=None) as socket:
        yield socket


def next_with(socket: ClientConnection, text: str) -> str:
    """The next message that holds this text; others, such as signs of life, are passed over.

    Raises: TimeoutError where none comes in time.
    """
    give_up_at = time.monotonic() + WITHIN
    while True:
        message = socket.recv(timeout=give_up_at - time.monotonic())
        assert isinstance(message, str)
        if text in message:
            return message


def card(message: str, pk: int) -> str:
    found = re.search(rf'<article id="call-{pk}".*?</article>', message, re.DOTALL)
    assert found
    return found[0]


def close_code(socket: ClientConnection) -> int | None:
    """With which code the server closes it."""
    with pytest.raises(ConnectionClosed):
        next_with(socket, "nothing holds this text")
    return socket.close_code
