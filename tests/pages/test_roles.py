from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils import timezone

from calls.models import Avatar, Call, Export, Person, SavedView, UnreadBody
from dashboard.urls import urlpatterns

from ..factory import make_account, make_call, make_client, make_follow_up, make_person, make_team

pytestmark = pytest.mark.django_db

Role = Person.Role

# What a GET is answered, to: nobody signed in, the team's agent, another team's agent, a supervisor, an admin.
TABLE = {
    "board": (302, 200, 200, 200, 200),
    "wall": (302, 200, 200, 200, 200),
    "reject": (302, 405, 405, 405, 405),
    "add_follow_up": (302, 405, 405, 405, 405),
    "follow_ups": (302, 200, 200, 200, 200),
    "take_follow_up": (302, 405, 405, 405, 405),
    "give_follow_up_back": (302, 405, 405, 405, 405),
    "follow_up_done": (302, 200, 404, 200, 200),
    "take": (302, 405, 405, 405, 405),
    "give_back": (302, 405, 405, 405, 405),
    "away": (302, 405, 405, 405, 405),
    "back": (302, 405, 405, 405, 405),
    "floor": (302, 404, 404, 200, 200),
    "history": (302, 200, 200, 200, 200),
    "new_calls": (302, 200, 200, 200, 200),
    "save_view": (302, 405, 405, 405, 405),
    "delete_view": (302, 405, 405, 405, 405),
    "call": (302, 200, 404, 200, 200),
    "add_note": (302, 405, 405, 405, 405),
    "write_note": (302, 302, 404, 302, 302),  # without htmx, the call's page
    "change_contact": (302, 405, 405, 405, 405),
    "avatar": (302, 200, 404, 200, 200),
    "export_csv": (302, 200, 200, 200, 200),
    "export_xlsx": (302, 200, 200, 200, 200),
    "exports": (302, 200, 200, 200, 200),
    "export": (302, 404, 404, 200, 200),  # somebody else's
    "export_file": (302, 404, 404, 404, 404),  # there is none
    "cancel_export": (302, 405, 405, 405, 405),
    "reports": (302, 200, 200, 200, 200),
    "report_shown": (302, 200, 200, 200, 200),
    "report_rejected": (302, 200, 200, 200, 200),
    "report_breakdown": (302, 200, 200, 200, 200),
    "report_callers": (302, 200, 200, 200, 200),
    "report_follow_ups": (302, 200, 200, 200, 200),
    "callbacks": (302, 404, 404, 200, 200),
    "replay_all": (302, 405, 405, 405, 405),
    "replay": (302, 405, 405, 405, 405),
    "mapping": (302, 404, 404, 404, 200),
    "mapping_values": (302, 405, 405, 405, 405),
    "alarms": (302, 404, 404, 200, 200),
    "preferences": (302, 200, 200, 200, 200),
    "push_on": (302, 405, 405, 405, 405),
    "push_off": (302, 405, 405, 405, 405),
    "service_worker": (200, 200, 200, 200, 200),
    "manifest": (200, 200, 200, 200, 200),
    "icon": (200, 200, 200, 200, 200),
    "login": (200, 302, 302, 302, 302),
    "logout": (302, 405, 405, 405, 405),
    "password_change": (302, 200, 200, 200, 200),
    "set_language": (302, 302, 302, 302, 302),
    "healthz": (200, 200, 200, 200, 200),
    "readyz": (200, 200, 200, 200, 200),
    "metrics": (200, 200, 200, 200, 200),
}
# What a POST is answered: to pages that change something, and aren't for everyone.
TABLE_OF_POSTS = {
    "add_follow_up": (302, 302, 404, 302, 302),
    "take_follow_up": (302, 302, 404, 302, 302),
    "give_follow_up_back": (302, 302, 404, 302, 302),
    "follow_up_done": (302, 302, 404, 302, 302),
    "take": (302, 302, 404, 302, 302),
    "give_back": (302, 302, 404, 302, 302),
    "away": (302, 302, 302, 302, 302),
    "back": (302, 302, 302, 302, 302),
    "delete_view": (302, 404, 404, 404, 404),  # somebody else's
    "preferences": (302, 302, 302, 302, 302),
    "push_on": (302, 400, 400, 400, 400),  # the form is empty
    "push_off": (302, 204, 204, 204, 204),
    "write_note": (302, 302, 404, 302, 302),
    "add_note": (302, 200, 404, 200, 200),  # the note is empty, and the page shown again
    "change_contact": (302, 302, 404, 302, 302),
    "cancel_export": (302, 404, 404, 404, 302),
    "replay_all": (302, 404, 404, 302, 302),
    "replay": (302, 404, 404, 302, 302),
    "mapping": (302, 404, 404, 404, 200),  # the form is empty, and shown again
    "mapping_values": (302, 404, 404, 404, 200),
}
OF_A_CALL = {"write_note", "reject", "take", "give_back", "add_follow_up", "call", "add_note", "change_contact"}
OF_A_FOLLOW_UP = {"take_follow_up", "give_follow_up_back", "follow_up_done"}
OF_A_CONTACT = {"avatar"}
OF_A_VIEW = {"delete_view"}
OF_AN_EXPORT = {"export", "export_file", "cancel_export"}
OF_A_BODY = {"replay"}
OF_AN_APP = {"mapping", "mapping_values"}

READERS: dict[str, Callable[[Call], Client]] = {
    "nobody": lambda call: make_client(),
    "agent": lambda call: make_client(make_person(call.account.team, password=None)),
    "other team's agent": lambda call: make_client(make_person(make_team(), password=None)),
    "supervisor": lambda call: make_client(make_person(password=None, role=Role.SUPERVISOR)),
    "admin": lambda call: make_client(make_person(password=None, role=Role.ADMIN)),
}


def address_of(name: str, call: Call) -> str:
    app = call.account.app
    if name in OF_A_CALL:
        return reverse(name, args=[call.pk])
    if name in OF_A_FOLLOW_UP:
        return reverse(name, args=[make_follow_up(call).pk])
    if name in OF_A_CONTACT:
        fields = {"tried_at": timezone.now(), "version": "v1", "picture": b"picture"}
        return reverse(name, args=[Avatar.objects.create(contact=call.contact, **fields).pk, "v1"])
    if name in OF_A_VIEW:
        return reverse(name, args=[SavedView.objects.create(owner=make_person(password=None), name="view").pk])
    if name in OF_AN_EXPORT:
        export = Export.objects.create(person=make_person(password=None), requested_at=timezone.now(), format="csv")
        return reverse(name, args=[export.pk])
    if name in OF_A_BODY:
        return reverse(name, args=[UnreadBody.objects.keep(app.pk, timezone.now(), b"?", "no account").pk])
    if name == "icon":
        return reverse(name, args=[3])
    return reverse(name, args=[app.pk] if name in OF_AN_APP else [])


def test_every_address_has_its_row_in_the_table() -> None:
    assert {pattern.name for pattern in urlpatterns if isinstance(pattern, URLPattern)} == set(TABLE)


@pytest.mark.parametrize(
    ("name", "reader", "status"),
    [(name, reader, status) for name, row in TABLE.items() for reader, status in zip(READERS, row, strict=True)],
)
def test_each_role_is_answered_as_the_table_says(name: str, reader: str, status: int) -> None:
    call = make_call(make_account(team=make_team()))
    with closing(READERS[reader](call).get(address_of(name, call))) as answer:  # a download holds what it has begun
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("name", "reader", "status"),
    [(name, reader, status) for name, row in TABLE_OF_POSTS.items() for reader, status in zip(READERS, row, strict=True)],
)
def test_each_role_may_change_what_the_table_says(name: str, reader: str, status: int) -> None:
    call = make_call(make_account(team=make_team()))
    assert READERS[reader](call).post(address_of(name, call)).status_code == status


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row[0] == 302 and name != "set_language"])
def test_who_is_not_signed_in_is_led_to_the_sign_in(name: str) -> None:
    address = address_of(name, make_call())
    assert make_client().get(address).headers["Location"] == f"/login/?next={address}"
