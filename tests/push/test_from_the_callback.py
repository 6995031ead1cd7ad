"""From the vendor's callback to the browser of an agent who has closed the tab, on the real server."""

from __future__ import annotations

import re

import requests

from tests.desk import Desk
from tests.factory import PASSWORD
from tests.push_service import Browser, PushService
from tests.waiting import eventually


def subscribe(desk: Desk, session: requests.Session, browser: Browser) -> None:
    page = session.get(f"{desk.server.url}/preferences/", timeout=10).text
    key = re.search(r'data-key="([^"]+)"', page)
    assert key
    post(desk, session, "/preferences/push/on/", browser.keys | {"key": key[1]})


def post(desk: Desk, session: requests.Session, path: str, fields: dict[str, str]) -> None:
    fields = fields | {"csrfmiddlewaretoken": session.cookies["csrftoken"]}
    answer = session.post(f"{desk.server.url}{path}", data=fields, timeout=10, allow_redirects=False)
    assert answer.status_code in {204, 302}, answer.text


def test_a_call_its_reject_and_nothing_after_a_sign_out(desk: Desk, service: PushService) -> None:
    agent, colleague = desk.staffed(2)
    browser, colleagues = Browser(service), Browser(service)
    session, other = (desk.server.sign_in(username, PASSWORD) for username in (agent, colleague))
    subscribe(desk, session, browser)
    subscribe(desk, other, colleagues)

    pk = desk.call_pk(desk.call("王秀英"))
    eventually(lambda: len(browser.requests) == 1)
    [message] = browser.messages
    assert (message["call"], message["title"]) == (pk, "王秀英")
    assert message["body"] == f"语音 · 打给 小林{desk.number} ({desk.team})"

    post(desk, session, f"/calls/{pk}/reject/", {})
    eventually(lambda: len(browser.requests) == len(colleagues.requests) == 2)
    assert colleagues.messages[1]["body"] == f"{agent} 已拒接。"
    assert "until" not in colleagues.messages[1]

    post(desk, session, "/logout/", {})
    desk.call()
    eventually(lambda: len(colleagues.requests) == 3)
    assert len(browser.requests) == 2


def test_a_push_service_that_hangs_keeps_no_callback_waiting(desk: Desk, service: PushService) -> None:
    [agent] = desk.staffed(1)
    browser = Browser(service)
    subscribe(desk, desk.server.sign_in(agent, PASSWORD), browser)
    service.seconds = 3.0
    desk.call()
    eventually(lambda: len(browser.requests) == 1)
    for _ in range(20):
        desk.call()
    assert len(browser.requests) == 1, "the service hangs still, and 20 callbacks were answered meanwhile"
