"""Peers that take nothing any more: frozen browsers, dead links."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from calls.vendor.sandbox import call_notice
from tests.desk import Desk
from tests.factory import PASSWORD
from tests.server import Server

from .sockets import next_with, socket_of

LONG = "&" * 200  # five times as long in HTML: all together must be more than what the system's buffers hold


@contextmanager
def frozen_socket_of(server: Server, username: str) -> Iterator[socket.socket]:
    """A page's socket that reads nothing after the handshake, with as little room for it as the system allows."""
    cookies = "; ".join(f"{name}={value}" for name, value in server.sign_in(username, PASSWORD).cookies.items())
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        peer.connect(("127.0.0.1", server.port))
        peer.sendall(
            f"GET /ws/board/ HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nCookie: {cookies}\r\n\r\n".encode()
        )
        assert peer.recv(12) == b"HTTP/1.1 101"
        yield peer


def open_sockets(server: Server) -> int:
    found = re.search(r"^ringdesk_open_sockets (\d+)", requests.get(f"{server.url}/metrics", timeout=5).text, re.MULTILINE)
    assert found
    return int(found[1])


def wait_for_open_sockets(server: Server, count: int) -> None:
    give_up_at = time.monotonic() + 30
    while (found := open_sockets(server)) != count:
        assert time.monotonic() < give_up_at, f"{found} are open"
        time.sleep(0.05)


def burst(desk: Desk, callbacks: int, calls: int) -> set[str]:
    """So many callbacks, each with so many new calls; the calls' ids at the vendor."""
    voipids = [[f"{desk.number}-{callback}-{call}" for call in range(calls)] for callback in range(callbacks)]
    for of_one in voipids:
        desk.server.push(desk.secret, [call_notice(desk.wxid, "788", voipid, nickname=LONG) for voipid in of_one])
    return {voipid for of_one in voipids for voipid in of_one}


@pytest.mark.parametrize(("callbacks", "calls"), [(15, 64), (480, 2)], ids=["few-large-texts", "more-texts-than-wait"])
def test_a_peer_that_takes_nothing_is_cut_off_and_the_others_get_everything(desk: Desk, callbacks: int, calls: int) -> None:
    frozen, reading = desk.staffed(2)
    before = open_sockets(desk.server)
    with socket_of(desk.server, reading) as page, frozen_socket_of(desk.server, frozen):
        next_with(page, 'id="board"')
        wait_for_open_sockets(desk.server, before + 2)
        pks = set(desk.call_pks(burst(desk, callbacks, calls)).values())
        while pks:
            pks -= {int(pk) for pk in re.findall(r'<article id="call-(\d+)"', next_with(page, "<article"))}
        wait_for_open_sockets(desk.server, before + 1)
        with socket_of(desk.server, frozen) as again:
            assert next_with(again, 'id="board"').count('data-status="ringing"') == callbacks * calls
