"""Whatever the vendor does to many calls that are rejected at once, each is sent as often as it should be, and the record
says once that it is rejected."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from threading import Thread
from typing import Any

import pytest

from calls.vendor.sandbox import Fault, Sandbox
from tests.desk import Desk
from tests.factory import PASSWORD
from tests.server import Server

from .clicks import click_at_once, session_key_of
from .test_killed_mid_reject import wait_until

REJECT, TOKEN = "/wechat/handleVoipCall", "/oauth/token"
CALLS = 10
BURST = 30


def ringing_calls(desk: Desk, number: int) -> list[int]:
    return [desk.call_pk(desk.call(chat_wxid=f"78813{place}")) for place in range(number)]


def on_record(desk: Desk, pks: list[int]) -> list[list[object]]:
    """The results of each call's attempts."""
    return [
        [result for (result,) in desk.server.sql("SELECT result FROM calls_attempt WHERE call_id = ? ORDER BY id", pk)]
        for pk in pks
    ]


def sent(vendor: Sandbox) -> list[int]:
    """How many requests came for each call."""
    return list(Counter(body["voipid"] for body in vendor.rejects).values())


@pytest.mark.parametrize(
    ("fault", "status", "first"),
    [
        ("hang", "unconfirmed", "unconfirmed"),  # answered after the timeout
        ("lost", "unconfirmed", "unconfirmed"),
        ("cut-off", "unconfirmed", "unconfirmed"),
        ("garbage", "unconfirmed", "unconfirmed"),
        ("broken", "unconfirmed", "unconfirmed"),
        ("server-error", "unconfirmed", "unconfirmed"),
        ("refused", "ringing", "refused"),
        ("limit", "ringing", "refused"),
    ],
)
def test_what_was_not_accepted_is_sent_again_by_the_next_click_alone(
    desk: Desk, fault: Fault, status: str, first: str
) -> None:
    [agent] = desk.staffed(1)
    key, pks = session_key_of(desk.server, agent, PASSWORD), ringing_calls(desk, CALLS)
    desk.vendor.misbehave(REJECT, *[fault] * CALLS)
    clicks = [(key, pk) for pk in pks]
    assert all(f'data-status="{status}"' in card for card in click_at_once(desk.server, clicks))
    assert (sent(desk.vendor), on_record(desk, pks)) == ([1] * CALLS, [[first]] * CALLS)
    assert all('data-status="rejected"' in card for card in click_at_once(desk.server, clicks))
    assert (sent(desk.vendor), on_record(desk, pks)) == ([2] * CALLS, [[first, "accepted"]] * CALLS)


def test_slow_answers_are_waited_for(desk: Desk) -> None:
    [agent] = desk.staffed(1)
    key, pks = session_key_of(desk.server, agent, PASSWORD), ringing_calls(desk, CALLS)
    desk.vendor.misbehave(REJECT, "slow", always=True)
    cards = click_at_once(desk.server, [(key, pk) for pk in pks])
    assert all('data-status="rejected"' in card for card in cards)
    assert (sent(desk.vendor), on_record(desk, pks)) == ([1] * CALLS, [["accepted"]] * CALLS)


def test_a_vendor_that_restarts_meanwhile_costs_nobody_a_click(server: Server) -> None:
    """It refuses connections for a moment, and has forgotten its tokens when it is back."""
    with Sandbox() as vendor:
        desk = Desk(server, vendor)
        [agent] = desk.staffed(1)
        key, [before, *pks] = session_key_of(server, agent, PASSWORD), ringing_calls(desk, 1 + CALLS)
        click_at_once(server, [(key, before)])
    back = Sandbox(port=vendor.port)

    def restart() -> None:
        wait_until(lambda: any("not_sent" in results for results in on_record(desk, pks)))
        back.start()

    restarting = Thread(target=restart)
    restarting.start()
    try:
        cards = click_at_once(server, [(key, pk) for pk in pks])
    finally:
        restarting.join()
        back.stop()
    assert all('data-status="rejected"' in card for card in cards)
    assert [results.count("accepted") for results in on_record(desk, pks)] == [1] * CALLS
    assert len(back.tokens) == 1
    assert len(vendor.rejects) == 1


@dataclass
class ExpiresInTheMiddle(Sandbox):
    """A vendor whose token becomes void with the tenth reject; it counts how often it is asked for one."""

    asked: int = 0

    def answer(self, path: str, body: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
        if path == TOKEN:
            self.asked += 1
        if path == REJECT and len(self.rejects) == 10 and "void from here" not in self.tokens:
            self.tokens.append("void from here")
        return super().answer(path, body, fault)


def test_a_token_that_expires_in_the_middle_of_a_burst_is_fetched_anew_once(server: Server) -> None:
    vendor = ExpiresInTheMiddle()
    with vendor:
        desk = Desk(server, vendor)
        [agent] = desk.staffed(1)
        key, pks = session_key_of(server, agent, PASSWORD), ringing_calls(desk, BURST)
        cards = click_at_once(server, [(key, pk) for pk in pks])
    assert all('data-status="rejected"' in card for card in cards)
    results = on_record(desk, pks)
    assert all(each in (["accepted"], ["refused", "accepted"]) for each in results)
    assert len(vendor.rejects) == sum(len(each) for each in results)
    assert vendor.asked == 2
