"""A database that is locked for longer than anybody waits, on the real server."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from tests.desk import Desk
from tests.factory import PASSWORD
from tests.live.sockets import next_with, socket_of

from .clicks import click, session_key_of

REJECT = "/wechat/handleVoipCall"


def test_a_click_into_a_locked_database_says_that_nothing_was_sent(desk: Desk) -> None:
    [agent] = desk.staffed(1)
    key = session_key_of(desk.server, agent, PASSWORD)
    pk = desk.call_pk(desk.call())
    with desk.server.database.locked():
        answer = click(desk.server, key, pk)
    assert answer.status_code == 200
    assert "Nothing was sent: the database is busy. Try again." in answer.text
    assert (desk.vendor.rejects, desk.vendor.tokens) == ([], [])
    assert 'data-status="rejected"' in click(desk.server, key, pk).text


def test_an_answer_into_a_locked_database_is_told_logged_and_shown_to_all_once_it_is_free(desk: Desk) -> None:
    [agent] = desk.staffed(1)
    key = session_key_of(desk.server, agent, PASSWORD)
    pk = desk.call_pk(desk.call())
    desk.vendor.misbehave(REJECT, "slow")
    with socket_of(desk.server, agent, "en") as page, ThreadPoolExecutor(1) as pool:
        clicking = pool.submit(click, desk.server, key, pk)
        while not desk.vendor.rejects:
            assert not clicking.done()
            time.sleep(0.01)
        with desk.server.database.locked():
            answer = clicking.result()
        assert "Accepted by the vendor. The database is busy: it will be on record as soon as possible." in answer.text
        shown = next_with(page, f'id="call-{pk}" class="call" tabindex="-1" data-status="rejected"')
    assert f'id="call-{pk}"' in shown
    assert desk.server.sql("SELECT result, errcode FROM calls_attempt WHERE call_id = ?", pk) == [("accepted", "0")]
    assert len(desk.vendor.rejects) == 1
    assert f"call {pk}, attempt" in (desk.server.folder / "server.log").read_text()
