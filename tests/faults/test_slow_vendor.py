"""A vendor that hangs slows down neither callbacks nor pages."""

from __future__ import annotations

import threading
import time

from tests.desk import Desk
from tests.factory import PASSWORD

REJECTS = 50
MOST = 1.0  # seconds; a bound that only a stall breaks, since measuring belongs in bench/


def test_fifty_hanging_rejects_hold_up_nobody_else(desk: Desk) -> None:
    [agent] = desk.staffed(1)
    session = desk.server.sign_in(agent, PASSWORD)
    desk.vendor.misbehave("/wechat/handleVoipCall", "hang", always=True)
    pks = [desk.call_pk(desk.call(chat_wxid=f"78813{number}")) for number in range(REJECTS)]
    form = {"csrfmiddlewaretoken": session.cookies["csrftoken"]}
    answers: list[float] = []

    def reject(pk: int) -> None:
        own = desk.server.session_like(session)
        started = time.monotonic()
        assert (
            own.post(f"{desk.server.url}/calls/{pk}/reject/", data=form, timeout=20, allow_redirects=False).status_code
            == 302
        )
        answers.append(time.monotonic() - started)

    threads = [threading.Thread(target=reject, args=[pk]) for pk in pks]
    for thread in threads:
        thread.start()
    while len(desk.vendor.rejects) < REJECTS:
        assert any(thread.is_alive() for thread in threads)
        time.sleep(0.01)

    took = []
    for _ in range(20):
        started = time.monotonic()
        desk.call()
        assert desk.server.session_like(session).get(f"{desk.server.url}/history/", timeout=10).ok
        took.append(time.monotonic() - started)
    assert any(thread.is_alive() for thread in threads), "the vendor answered too soon for this test to mean anything"
    assert max(took) < MOST

    for thread in threads:
        thread.join()
    assert max(answers) < 8
    statuses = desk.server.sql(
        f"SELECT outcome, count(*) FROM calls_call WHERE id IN ({','.join(map(str, pks))}) GROUP BY outcome"  # noqa: S608
    )
    assert statuses == [("unconfirmed", REJECTS)]
