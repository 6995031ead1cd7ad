"""A server that is killed between a claim and the vendor's answer loses nothing but the answer."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import requests
from websockets.sync.client import ClientConnection

from calls.vendor.sandbox import Sandbox
from tests.desk import Desk
from tests.factory import PASSWORD
from tests.live.sockets import card, next_with, socket_of
from tests.server import Server, free_port, running_server

from .clicks import click, session_key_of

REJECT = "/wechat/handleVoipCall"
MOST = 10  # seconds until something that must happen has happened


def wait_until(happened: Callable[[], object]) -> None:
    give_up_at = time.monotonic() + MOST
    while not happened():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def attempts_on(server: Server, pk: int) -> list[tuple[object, ...]]:
    return server.sql("SELECT result, errcode FROM calls_attempt WHERE call_id = ? ORDER BY id", pk)


def next_card(socket: ClientConnection, pk: int, status: str) -> str:
    """The next card of this call that shows this status; passes over others."""
    while True:
        shown = card(next_with(socket, f'id="call-{pk}"'), pk)
        if f'data-status="{status}"' in shown:
            return shown


def killed_mid_reject(desk: Desk, key: str, pk: int) -> None:
    """Click, and kill the server while the vendor takes its time."""

    def click_in_vain() -> None:
        try:
            click(desk.server, key, pk)
        except requests.ConnectionError:
            pass
        else:
            raise AssertionError("the click was answered")

    clicking = threading.Thread(target=click_in_vain)
    clicking.start()
    wait_until(lambda: desk.vendor.rejects)
    desk.server.process.kill()
    desk.server.process.wait()
    clicking.join()


def test_a_call_whose_reject_was_killed_is_unconfirmed_and_can_be_rejected_again(tmp_path: Path, sandbox: Sandbox) -> None:
    port = free_port()
    sandbox.misbehave(REJECT, "hang")
    with running_server(tmp_path, port) as server:
        desk = Desk(server, sandbox)
        [agent] = desk.staffed(1)
        key = session_key_of(server, agent, PASSWORD)
        pk = desk.call_pk(desk.call())
        killed_mid_reject(desk, key, pk)
    assert attempts_on(server, pk) == [("pending", "")]
    assert server.sql("SELECT outcome FROM calls_call WHERE id = ?", pk) == [("unconfirmed",)]

    with running_server(tmp_path, port) as server, socket_of(server, agent, "en") as page:
        next_card(page, pk, "rejecting")
        assert "is rejecting" in click(server, key, pk).text  # the claim still holds
        free = next_card(page, pk, "unconfirmed")  # by itself, once the claim has run out
        assert "Unconfirmed: no answer is on record. It may be rejected." in free
        assert 'data-status="rejected"' in click(server, key, pk).text
        next_card(page, pk, "rejected")
        history = requests.get(
            f"{server.url}/history/{pk}/", cookies={"sessionid": key, "django_language": "en"}, timeout=10
        ).text
    assert attempts_on(server, pk) == [("pending", ""), ("accepted", "0")]
    assert len(sandbox.rejects) == 2
    assert len(re.findall("Unconfirmed: no answer is on record|Accepted by the vendor", history)) == 2
