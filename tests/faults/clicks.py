"""Clicks on Reject, as the page of a signed-in agent sends them."""

from __future__ import annotations

from collections.abc import Sequence

import requests

from tests.server import Server
from tests.threads import at_once

CSRF = "c" * 32  # any will do, provided that the cookie and the header say the same


def click(server: Server, session_key: str, pk: int) -> requests.Response:
    return requests.post(
        f"{server.url}/calls/{pk}/reject/",
        cookies={"sessionid": session_key, "csrftoken": CSRF, "django_language": "en"},
        headers={"HX-Request": "true", "X-CSRFToken": CSRF},
        timeout=30,
    )


def click_at_once(server: Server, clicks: Sequence[tuple[str, int]]) -> list[str]:
    """Session keys and the ids of calls; the cards that are the answers, in the same order."""
    answers = at_once(len(clicks), lambda number: click(server, *clicks[number]))
    assert {answer.status_code for answer in answers} == {200}
    return [answer.text for answer in answers]


def session_key_of(server: Server, username: str, password: str) -> str:
    return str(server.sign_in(username, password).cookies["sessionid"])
