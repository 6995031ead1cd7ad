"""A vendor that hangs slows down neither callbacks nor pages."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import requests

from tests.desk import Desk
from tests.factory import PASSWORD

pytestmark = pytest.mark.alone

REJECTS = 50
MOST = 1.0  # seconds; a bound that only a stall breaks, since measuring belongs in bench/


@dataclass
class Hanging:
    """Rejects that wait for the vendor, each in a thread of its own."""

    session: requests.Session  # of the agent who clicked
    pks: list[int]
    answers: list[float] = field(default_factory=list)  # seconds


@contextmanager
def hanging_rejects(desk: Desk) -> Iterator[Hanging]:
    """All are at the vendor, and still are at the end; then they are waited for."""
    [agent] = desk.staffed(1)
    desk.vendor.misbehave("/wechat/handleVoipCall", "hang", always=True)
    pks = [desk.call_pk(desk.call(chat_wxid=f"78813{number}")) for number in range(REJECTS)]
    hanging = Hanging(desk.server.sign_in(agent, PASSWORD), pks)
    form = {"csrfmiddlewaretoken": hanging.session.cookies["csrftoken"]}

    def reject(pk: int) -> None:
        own = desk.server.session_like(hanging.session)
        started = time.monotonic()
        url = f"{desk.server.url}/calls/{pk}/reject/"
        assert own.post(url, data=form, timeout=20, allow_redirects=False).status_code == 302
        hanging.answers.append(time.monotonic() - started)

    threads = [threading.Thread(target=reject, args=[pk]) for pk in pks]
    for thread in threads:
        thread.start()
    while len(desk.vendor.rejects) < REJECTS:
        assert any(thread.is_alive() for thread in threads)
        time.sleep(0.01)
    yield hanging
    assert any(thread.is_alive() for thread in threads), "the vendor answered too soon for this test to mean anything"
    for thread in threads:
        thread.join()


def test_fifty_hanging_rejects_hold_up_nobody_else(desk: Desk) -> None:
    took = []
    with hanging_rejects(desk) as hanging:
        for _ in range(20):
            started = time.monotonic()
            desk.call()
            assert desk.server.session_like(hanging.session).get(f"{desk.server.url}/history/", timeout=10).ok
            took.append(time.monotonic() - started)
    assert max(took) < MOST
    assert max(hanging.answers) < 8
    pks = ",".join(map(str, hanging.pks))
    statuses = desk.server.sql(
        f"SELECT outcome, count(*) FROM calls_call WHERE id IN ({pks}) GROUP BY outcome"  # noqa: S608
    )
    assert statuses == [("unconfirmed", REJECTS)]


@pytest.mark.postgresql_only
def test_a_reject_that_hangs_holds_no_connection_to_the_database(desk: Desk) -> None:
    with hanging_rejects(desk):
        connected = desk.server.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        assert connected < [(REJECTS // 2,)]
