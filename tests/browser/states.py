"""A desk with a call in each state that a board can show, and every page that there is to look at."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from django.urls import URLPattern, reverse

from calls.vendor.sandbox import Fault
from dashboard.urls import urlpatterns
from tests.desk import Desk
from tests.factory import PASSWORD
from tests.faults.clicks import click, session_key_of

REJECT = "/wechat/handleVoipCall"
LONG_NAME = "北辰物流-陈经理（华东二区，售后）" * 4
FAULTS: dict[str, Fault] = {"refused": "limit", "unconfirmed": "broken"}

# With which row a page of one row is looked at, by the name of its address. None: it is a part of a page, or no page.
ROWS: dict[str, str | None] = {
    "call": "refused",
    "mapping": "app",
    "mapping_values": None,
    "follow_up_done": None,
    "avatar": None,
    "export": None,
    "export_file": None,
}


def admin_of(desk: Desk) -> str:
    """Who sees all pages."""
    username = desk.person("--supervisor")
    desk.server.sql("UPDATE calls_person SET role = 'admin' WHERE username = ?", username)
    return username


def seven_calls(desk: Desk, agent: str) -> dict[str, int]:
    """One of each state; their ids by it."""
    call = {
        state: desk.call_pk(desk.call(name, kind, chat_wxid=f"78813{zlib.crc32(state.encode())}"))
        for state, name, kind in [
            ("ringing", "王秀英", 2),
            ("long", LONG_NAME, 1),
            ("refused", "周杰", 1),
            ("unconfirmed", "M", 2),
            ("rejecting", "孙丽", 2),
            ("rejected", "何静", 1),
            ("missed", "Jim", 2),
        ]
    }
    session = session_key_of(desk.server, agent, PASSWORD)
    for state, fault in FAULTS.items():
        desk.vendor.misbehave(REJECT, fault)
        assert click(desk.server, session, call[state]).status_code == 200
    assert click(desk.server, session, call["rejected"]).status_code == 200
    now = datetime.now(UTC).replace(tzinfo=None)
    desk.server.sql("UPDATE calls_call SET rings_until = ? WHERE id = ?", str(now), call["missed"])
    [(person,)] = desk.server.sql("SELECT id FROM calls_person WHERE username = ?", agent)
    claim = (person, str(now + timedelta(hours=1)), call["rejecting"])
    desk.server.sql("UPDATE calls_call SET claimed_by_id = ?, claimed_until = ? WHERE id = ?", *claim)
    return call


def addresses(rows: Mapping[str, int]) -> Iterator[str]:
    """What may be pages, of all that the project has an address for: a new one is looked at without a word. Not the admin
    site, which is Django's own."""
    for pattern in urlpatterns:
        if not isinstance(pattern, URLPattern):
            continue
        name = str(pattern.name)
        if not pattern.pattern.converters:
            yield reverse(name)
        elif row := ROWS.get(name):
            yield reverse(name, args=[rows[row]])
        elif name not in ROWS:
            yield reverse(name, args=[1])
